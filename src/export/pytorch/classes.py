def predict(columns, model=None):
    """The class of each row, and the probabilities of all classes, (rows, classes)."""
    with torch.no_grad():
        outputs = (model or load())(prepare(columns)).double()
    if outputs.shape[1] == 1:  # one output: the logit of the second class
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return [CLASSES[place] for place in outputs.argmax(dim=1)], torch.softmax(outputs, dim=1)


def table(columns, model):
    """The predictions as rows of a table, the names first."""
    yield [TARGET] + [f"p_{name}" for name in CLASSES]
    for name, shares in zip(*predict(columns, model)):
        yield [name] + shares.tolist()
