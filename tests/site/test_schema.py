"""The JSON Schema for editors is the one that is committed, and knows what the reader knows."""

from __future__ import annotations

import json
from pathlib import Path

from tags.site import function_models, models, schema

FILE = Path(__file__).parents[2] / "config" / "schema" / "site.json"


def test_the_committed_schema_is_up_to_date() -> None:
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    assert FILE.read_text() == text, "run: scada schema > config/schema/site.json"


def test_it_knows_every_key() -> None:
    made = schema()
    assert set(models.Head.model_fields) < set(made["properties"])
    assert set(made["$defs"]["Tag"]["properties"]) == set(models.Tag.model_fields)
    assert not made["$defs"]["Tag"]["additionalProperties"]
    for name, block in function_models.BLOCKS.items():
        assert made["$defs"][block.__name__]["properties"]["block"]["const"] == name
    references = {part.split('"')[0] for part in json.dumps(made).split('"#/$defs/')[1:]}
    assert references <= set(made["$defs"])
