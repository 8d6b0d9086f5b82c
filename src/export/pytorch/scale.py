def scaled(found, center, factor, fill, clip, indicator, more=()):
    """The scaled numbers, then `more` features, then 1 where a number is missing if there is an `indicator`."""
    missing = torch.tensor([number is None for number in found])
    numbers = torch.tensor([fill if number is None else number for number in found], dtype=torch.float64)
    numbers = (numbers - center) * factor
    if clip:  # draws far values in, to within 3
        numbers = numbers / torch.sqrt(1 + (numbers / 3) ** 2)
    return [numbers, *more] + ([missing] if indicator else [])
