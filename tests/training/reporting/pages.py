"""An HTML page as a test reads it."""

from html.parser import HTMLParser

VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """The elements of a page, in order, and its words.

    **Raises** `AssertionError` if an element is not closed, or another one is.
    """

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words, self._open = "", []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def check_that_it_loads_nothing(self) -> None:
        """Check that it runs no code and refers to nothing but its own parts."""
        assert not {"script", "link", "iframe", "object", "img"} & set(self.tags)
        names = ("src", "href", "xlink:href", "data", "srcset")
        assert all(value.startswith("#") for name, value in self.attributes if name in names)
        text = " ".join([self.words, *(value for _, value in self.attributes)])
        assert "http:" not in text and "https:" not in text and "@import" not in text
        assert text.count("url(") == text.count("url(#")
