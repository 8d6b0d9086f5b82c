def load(path=WEIGHTS):
    """The network with the weights of a file, ready to predict; its `forward` takes what `prepare` makes."""
    model = network()
    model.load_state_dict(load_file(path), strict=True)
    return model.eval()


def prepare(columns):
    """The features, (rows, features), of raw cells: lists of texts or numbers by name, with None where missing."""
    if lacking := [name for name in COLUMNS if name not in columns]:
        raise ValueError(f"no column {', '.join(lacking)}")
    features = [feature for name, encode in COLUMNS.items() for feature in encode(name, columns[name])]
    return torch.stack([feature.double() for feature in features], dim=1).float()
