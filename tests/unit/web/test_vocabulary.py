"""What names mean in the API's document."""

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


def test_a_field_says_what_its_name_means() -> None:
    """Where it is silent; its own words stay."""
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


def test_what_is_made_of_models_shows_theirs() -> None:
    """Lists, nested models, defaults, enumerations, and what no name tells."""
    document = Whole.model_json_schema(ref_template="#/components/schemas/{model}")
    complete(document, document["$defs"])
    fields = document["properties"]
    shown = {name: field["examples"][0] for name, field in fields.items() if name != "word"}
    part = {"exchange": "NASDAQ", "size": 1.5, "hue": "red"}
    expected = {"parts": [part], "part": part, "sizes": {}, "unit": 7, "is_big": True}
    assert expected == {name: shown[name] for name in expected}


def test_parameters_of_a_path_are_described() -> None:
    """By their names, as far as these are known."""
    found = described_path("/things/<int:thing>/<exchange>/<path:symbol>")
    assert ["exchange", "symbol"] == [parameter["name"] for parameter in found]
    assert ("the exchange", "NASDAQ") == (found[0]["description"], found[0]["example"])
