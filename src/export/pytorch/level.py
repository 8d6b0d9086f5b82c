class Levels:
    """A text that is one of several levels."""

    def __init__(self, levels, boolean=False):
        self.places = {level: place for place, level in enumerate(levels)}
        self.boolean = boolean

    def find(self, column, cells, unseen, nothing):
        """The place of each cell's level: `unseen` for one that training did not have, `nothing` for a missing cell."""
        found = each(column, cells, self.read)
        return torch.tensor([nothing if word is None else self.places.get(word, unseen) for word in found])

    def read(self, word, _):
        """The level: the word, or true or false however it is spelled."""
        if self.boolean:
            return "true" if word.lower() in TRUE else "false" if word.lower() in FALSE else word
        return word
