"""What every database takes."""

from storage.texts import plain


def test_plain_text_keeps_all_but_what_databases_refuse():
    assert plain("Müller's 頭 \0x\ud800") == "Müller's 頭 x?"
