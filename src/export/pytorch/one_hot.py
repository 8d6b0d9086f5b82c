class OneHot(Levels):
    """A feature per level, one for all others, and one for missing cells, if training had such."""

    def __init__(self, levels, other=False, missing=False, boolean=False):
        super().__init__(levels, boolean)
        self.width = len(levels) + other + missing
        self.unseen = len(levels) if other else self.width
        self.nothing = self.width - 1 if missing else self.width

    def __call__(self, column, cells):
        place = self.find(column, cells, self.unseen, self.nothing)
        return [place == at for at in range(self.width)]
