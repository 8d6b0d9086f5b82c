def predict(columns, model=None):
    """The predicted numbers, (rows, targets), in their own units."""
    with torch.no_grad():
        outputs = (model or load())(prepare(columns)).double()
    return outputs * torch.tensor(STD, dtype=torch.float64) + torch.tensor(MEAN, dtype=torch.float64)


def table(columns, model):
    """The predictions as rows of a table, the names first."""
    yield TARGETS
    yield from predict(columns, model).tolist()
