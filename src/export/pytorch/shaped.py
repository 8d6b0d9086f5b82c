class Shaped(nn.Sequential):
    """Layers for features that are samples of a shape; images are turned from channels last to channels first."""

    def __init__(self, shape, *layers):
        super().__init__(*layers)
        self.shape = shape

    def forward(self, x):
        x = x.reshape(-1, *self.shape)
        return super().forward(x.permute(0, 3, 1, 2) if len(self.shape) == 3 else x)
