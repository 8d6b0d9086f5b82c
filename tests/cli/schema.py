"""Whether the schema of `accrue init --schema` accepts configurations: SCHEMA FILE... prints a line `FILE: ok` or `FILE: KEY` each."""

import json
import sys
import tomllib

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for path in sys.argv[2:]:
    with open(path, "rb") as file:
        found = jsonschema.Draft202012Validator(schema).iter_errors(tomllib.load(file))
    wrong = sorted(".".join(map(str, error.absolute_path)) or error.message for error in found)
    print(f"{path}: {', '.join(wrong) or 'ok'}")
