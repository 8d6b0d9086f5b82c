def text(cell):
    """A cell as a text; None where it is missing."""
    if cell is None or cell != cell:
        return None
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    word = str(cell).strip() if not isinstance(cell, bool) else str(cell).lower()
    return None if word.lower() in BLANKS or word in MISSING else word


def each(column, cells, read):
    """What `read` makes of each cell; None where it is missing."""
    found = []
    for row, cell in enumerate(cells, 1):
        word = text(cell)
        if word is None and not MAY_MISS:
            raise ValueError(f"row {row}, column {column}: the cell is missing")
        found.append(None if word is None else read(word, cell))
        if word is not None and found[-1] is None:
            raise ValueError(f"row {row}, column {column}: {cell!r} is nothing that this column can hold")
    return found
