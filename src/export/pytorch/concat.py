class Concat(nn.ModuleList):
    """Branches side by side, joined along channels."""

    def __init__(self, axis, *branches):
        super().__init__(branches)
        self.axis = axis

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=self.axis)
