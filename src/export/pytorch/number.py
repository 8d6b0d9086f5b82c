class Number:
    """A number: its scaled value, and whether it is missing if it was so in training."""

    PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

    def __init__(self, center, factor, fill=None, clip=False, indicator=False, decimal=".", thousands=None, sign=None):
        self.scale = center, factor, fill, clip, indicator
        self.decimal, self.thousands, self.sign = decimal, thousands, sign

    def __call__(self, column, cells):
        return scaled(each(column, cells, self.read), *self.scale)

    def read(self, word, cell):
        """A number as it is, or the one that a text spells in the way of this column; None for another text."""
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            return float(cell)
        minus, sign = "", re.escape(self.sign or "")
        if sign == "%" and word.endswith("%"):
            word = word[:-1].rstrip()
        elif sign and (found := re.fullmatch(rf"(-?){sign}\s*([^{sign}]*)|([^{sign}]*?)\s*{sign}", word)):
            minus, word = found[1] or "", found[2] if found[3] is None else found[3]
            if minus and word[:1] in ("+", "-"):
                return None
        if self.thousands and self.thousands in word:
            decimal, group = re.escape(self.decimal), re.escape(self.thousands) + "[0-9]{3}"
            if not re.fullmatch(rf"[+-]?[1-9][0-9]{{0,2}}({group})+([{decimal}eE].*)?", word):
                return None
            word = word.replace(self.thousands, "")
        if self.decimal == ",":
            word = "" if "." in word else word.replace(",", ".")
        number = float(minus + word) if self.PLAIN.fullmatch(word) else math.inf
        return number if math.isfinite(number) else None
