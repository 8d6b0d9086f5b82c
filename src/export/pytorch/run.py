def read(path):
    """The columns of a CSV file by their names."""
    with open(path, newline="", encoding=ENCODING) as file:
        first = file.readline()
        file.seek(0)
        likely = max(",;\t|", key=first.count)
        separator = SEPARATOR or (likely if likely in first else " ")
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        rows = [[cell.strip() for cell in row] for row in reader if row]
    if HEADER is True:
        names = rows.pop(0)
    elif HEADER is False:
        names = [f"column{number}" for number, _ in enumerate(rows[0], 1)]
    else:
        names = HEADER
        rows = rows[1:] if rows[0] == names else rows
    return dict(zip(names, zip(*rows)))


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python model.py data.csv [model.safetensors]")
    csv.writer(sys.stdout, lineterminator="\n").writerows(table(read(sys.argv[1]), load(*sys.argv[2:])))
