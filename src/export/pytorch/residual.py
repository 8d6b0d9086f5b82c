class Residual(nn.Module):
    """What the body makes of x, plus x or what the shortcut makes of it."""

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x):
        return self.body(x) + self.shortcut(x)
