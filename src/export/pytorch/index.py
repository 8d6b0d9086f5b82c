class Index(Levels):
    """The place of the level in a table that the network learned."""

    def __init__(self, levels, fallback, other=False, missing=False, boolean=False):
        super().__init__(levels, boolean)
        self.fallback, self.nothing = fallback, len(levels) + other if missing else fallback

    def __call__(self, column, cells):
        return [self.find(column, cells, self.fallback, self.nothing)]
