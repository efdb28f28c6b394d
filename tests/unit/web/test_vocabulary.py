"""Default descriptions and examples in the OpenAPI document."""

from enum import StrEnum

from pydantic import BaseModel, Field

from web.vocabulary import complete, described_path


class Hue(StrEnum):
    RED = "red"


class Part(BaseModel):
    exchange: str
    size: float
    hue: Hue


class Whole(BaseModel):
    symbol: str = Field(description="its own words", examples=["MSFT"])
    open: float
    parts: list[Part]
    part: Part | None
    sizes: dict[str, int]
    unit: int = 7
    is_big: bool
    word: str


def test_a_field_without_a_description_gets_that_of_its_name() -> None:
    """A description of its own stays."""
    document = Whole.model_json_schema(ref_template="#/components/schemas/{model}")
    complete(document, document.pop("$defs"))
    fields = document["properties"]
    assert ("its own words", ["MSFT"]) == (
        fields["symbol"]["description"],
        fields["symbol"]["examples"],
    )
    assert ("the first price", [189.1]) == (
        fields["open"]["description"],
        fields["open"]["examples"],
    )
    assert not {"description", "examples"} & fields["word"].keys()


def test_a_field_of_models_gets_an_example_made_of_theirs() -> None:
    """So do lists, defaults, enumerations, and fields whose name is unknown."""
    document = Whole.model_json_schema(ref_template="#/components/schemas/{model}")
    complete(document, document["$defs"])
    fields = document["properties"]
    shown = {name: field["examples"][0] for name, field in fields.items() if name != "word"}
    part = {"exchange": "NASDAQ", "size": 1.5, "hue": "red"}
    expected = {"parts": [part], "part": part, "sizes": {}, "unit": 7, "is_big": True}
    assert expected == {name: shown[name] for name in expected}


def test_path_parameters_are_described_by_their_names() -> None:
    """Unknown names are left out."""
    found = described_path("/things/<int:thing>/<exchange>/<path:symbol>")
    assert ["exchange", "symbol"] == [parameter["name"] for parameter in found]
    assert ("the exchange", "NASDAQ") == (found[0]["description"], found[0]["example"])
