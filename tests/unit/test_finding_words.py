"""How evidence is told."""

from wattwell.web.finding_words import pieces, seen


def test_what_was_and_what_was_expected_are_one_piece() -> None:
    found = {
        "fan-1 [kW]": 12.0,
        "fan-1 expected [kW]": 9.5,
        "fan-1 off by [standard errors]": 4.96,
        "damper [1]": 0.03,
        "damper expected [1]": 0.45,
        "damper off by [standard errors]": -6.0,
        "fan-1 model CV(RMSE)": 0.031,
        "drop [Pa]": None,
        "rule_law": "The fan draws more than its cube law.",
    }
    assert list(pieces(found)) == [
        ("fan-1", "12 kW, expected 9.5 kW, 5.0 standard errors off"),
        ("damper", "0.03, expected 0.45, -6.0 standard errors off"),
        ("fan-1 model CV(RMSE)", "0.031"),
        ("drop [Pa]", "\u2013"),
        ("rule law", "The fan draws more than its cube law."),
    ]
    assert list(pieces({})) == []


def test_who_tells_is_named() -> None:
    assert seen({"detector": "law", "meters": []}) == "Told by the detector law on no meter"
    assert seen({"detector": "fans", "meters": ["a", "b"]}) == "Told by the detector fans on a, b"
