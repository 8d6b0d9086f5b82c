class Date:
    """An ISO date: its scaled days since 1970, sine and cosine of its cycles, and whether it is missing."""

    DAY = r"(\d{4})-(\d\d)(?:-(\d\d))?"
    TIME = r"[Tt ](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?\s*(?:[Zz]|[+-](?:\d\d|\d\d:?\d\d))?"
    ISO = re.compile(f"{DAY}(?:(?<=-..-..){TIME})?", re.ASCII)

    def __init__(self, center, factor, fill=None, clip=False, indicator=False, cycles=()):
        self.scale, self.cycles = (center, factor, fill, clip, indicator), cycles

    def __call__(self, column, cells):
        found = each(column, cells, self.read)
        circles = []
        for cycle in self.cycles:
            angles = [None if days is None else math.tau * self.place(cycle, days) for days in found]
            for wave in math.sin, math.cos:
                values = [0.0 if angle is None else wave(angle) for angle in angles]
                circles.append(torch.tensor(values, dtype=torch.float64))
        return scaled(found, *self.scale, more=circles)

    def read(self, word, _):
        """The days since 1970; the time, that of the clock on the spot, is a part of a day."""
        found = self.ISO.fullmatch(word)
        year, month, day, hour, minute, second = (float(part or 0) for part in found.groups()) if found else [0] * 6
        try:
            days = datetime.date(int(year), int(month), int(day) or 1).toordinal() - EPOCH
        except ValueError:
            return None
        if hour >= 24 or minute >= 60 or second >= 61 or found[3] == "00":
            return None
        return days + ((hour * 60 + minute) * 60 + min(second, 59.999999999)) / 86400

    @staticmethod
    def place(cycle, days):
        """Where in its year, its week from Monday on, or its day a moment lies: from 0 to below 1."""
        day = math.floor(days)
        if cycle == "day":
            return days - day
        date = datetime.date.fromordinal(day + EPOCH)
        if cycle == "week":
            return date.weekday() / 7
        return (date.timetuple().tm_yday - 1) / (366 if calendar.isleap(date.year) else 365)


EPOCH = datetime.date(1970, 1, 1).toordinal()
