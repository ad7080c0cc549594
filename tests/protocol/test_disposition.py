"""Content-Disposition as clients send it and as we write it: RFC 6266, 7578, 8187, 2231."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioweb.protocol.disposition import format_disposition, read_disposition, safe_filename
from tests.protocol.lineartime import assert_linear


def text(octets: bytes) -> str:
    """A field value as the decoder gives it."""
    return octets.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("client", "value", "name", "filename"),
    [
        ("Chromium", 'form-data; name="f"; filename="плоский %22x%22.png"', "f", 'плоский "x".png'),
        ("Chromium, no file", 'form-data; name="f"; filename=""', "f", ""),
        ("Chromium, newlines", 'form-data; name="a%0D%0Ab%0ac"', "a\r\nb\nc", None),
        (
            "Chromium, other percents",
            'form-data; name="a%b%20%41%2"; filename="100%25.txt"',
            "a%b%20%41%2",
            "100%25.txt",
        ),
        ("Chromium, backslash at the end", 'form-data; name="f"; filename="a\\"', "f", "a"),
        ("Chromium, backslash at the end of the name", 'form-data; name="a\\"; filename="x"', "a\\", "x"),
        ("Chromium, backslash in the name", 'form-data; name="a\\b"', "a\\b", None),
        ("Chromium, page in Latin-1", text(b'form-data; name="gr\xf6\xdfe"; filename="\xe9.txt"'), "größe", "é.txt"),
        ("Firefox", 'form-data; name="a%22b"; filename="Bildschirmfoto é.png"', 'a"b', "Bildschirmfoto é.png"),
        ("older Firefox", 'form-data; name="a\\"b"; filename="x\\"y.txt"', 'a"b', 'x"y.txt'),
        ("Safari", 'form-data; name="f"; filename="e\u0301.png"', "f", "e\u0301.png"),
        ("curl", 'form-data; name="f"; filename="a%22b\\c.txt"', "f", "c.txt"),
        ("older curl", 'form-data; name="f"; filename="a\\"b\\\\.txt"', "f", ".txt"),
        ("httpx", 'form-data; name="a\\\\b"; filename="x%22y.txt"', "a\\b", 'x"y.txt'),
        ("requests", 'form-data; name="f"; filename="%22.txt"', "f", '".txt'),
        ("requests with urllib3 1", "form-data; name=\"f\"; filename*=utf-8''%D0%BF.txt", "f", "п.txt"),
        ("aiohttp", 'form-data; name="f"; filename="%D0%BF.txt"', "f", "%D0%BF.txt"),
        ("aiohttp, no ASCII in the name", "form-data; name*=utf-8''%D0%BF", "п", None),
        ("Internet Explorer", 'form-data; name="f"; filename="C:\\Users\\new\\read me.txt"', "f", "read me.txt"),
        ("Internet Explorer, share", 'form-data; name="f"; filename="\\\\server\\new.txt"', "f", "new.txt"),
        ("Java", 'form-data; name="f"; filename="x.bin"', "f", "x.bin"),
        ("Java without quotes", "form-data; name=f; filename=плоский файл.txt", "f", "плоский файл.txt"),
        (".NET", "form-data; name=f; filename=x.txt; filename*=utf-8''%D0%BF.txt", "f", "п.txt"),
        ("a spider", "Form-Data ;NAME = 'f' ; filename\t=\t\"x\" ; ", "'f'", "x"),
        ("nobody's order", 'form-data; filename="x"; size=3; name="f"', "f", "x"),
        ("a stray semicolon", 'form-data;; ;name="f";', "f", None),
        ("a semicolon in quotes", 'form-data; name="a; filename=b"', "a; filename=b", None),
        ("nothing", "form-data", None, None),
        ("an attacker", 'form-data; name="f"; filename="../../etc/passwd"', "f", "passwd"),
        ("an attacker on Windows", 'form-data; name="f"; filename="..\\\\..\\win.ini"', "f", "win.ini"),
        ("an attacker with an extended value", "form-data; name=f; filename*=UTF-8''..%2F..%5Cpasswd", "f", "passwd"),
        ("an attacker without a name", 'form-data; name="f"; filename=".."', "f", ""),
        ("an attacker with a slash", 'form-data; name="f"; filename="//"', "f", ""),
    ],
)
def test_what_clients_send_is_read(client, value, name, filename):
    disposition = read_disposition(value)
    assert disposition is not None
    assert (disposition.kind, disposition.name, disposition.filename) == ("form-data", name, filename)


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        # RFC 6266 section 5, and quoted-pairs that are none in a form.
        ("Attachment; filename=example.html", "attachment", {"filename": "example.html"}),
        ('INLINE; FILENAME= "an example.html"', "inline", {"filename": "an example.html"}),
        ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "attachment", {"filename": "€ rates"}),
        (
            "attachment; filename=\"EURO rates\"; filename*=utf-8'en'%e2%82%ac%20rates",
            "attachment",
            {"filename": "€ rates"},
        ),
        ("attachment; filename*=utf-8''b; filename=a", "attachment", {"filename": "b"}),
        (r'attachment; filename="f\oo \"x\" \\.html"', "attachment", {"filename": 'foo "x" \\.html'}),
        ('attachment; filename="a%22b"', "attachment", {"filename": "a%22b"}),
        # RFC 8187
        ("attachment; filename*=ISO-8859-1''%A3%20rates", "attachment", {"filename": "£ rates"}),
        ("attachment; filename*=us-ascii''a%20b", "attachment", {"filename": "a b"}),
        ("attachment; filename*=\"UTF-8''%C3%A9\"", "attachment", {"filename": "é"}),
        ("attachment; title*=UTF-8'de'%C3%A9", "attachment", {"title": "é"}),
        # An extended value that cannot be decoded leaves the plain one.
        ("attachment; filename=a; filename*=UTF-8''%ff", "attachment", {"filename": "a"}),
        ("attachment; filename=a; filename*=UTF-8''%2", "attachment", {"filename": "a"}),
        ("attachment; filename=a; filename*=UTF-8''%zz", "attachment", {"filename": "a"}),
        ("attachment; filename=a; filename*=utf-7''b", "attachment", {"filename": "a"}),
        ("attachment; filename=a; filename*=''b", "attachment", {"filename": "a"}),
        ("attachment; filename=a; filename*=b", "attachment", {"filename": "a"}),
        ("attachment; filename*=UTF-8''%ff", "attachment", {}),
        # RFC 2231 section 3 and 4.1
        ('attachment; filename*0="foo."; filename*1="html"', "attachment", {"filename": "foo.html"}),
        ('attachment; filename*1="html"; filename*0="foo."', "attachment", {"filename": "foo.html"}),
        (
            "attachment; filename*0*=UTF-8'en'foo-%c3; filename*1*=%a4; filename*2=\"%20.html\"",
            "attachment",
            {"filename": "foo-ä%20.html"},
        ),
        ("attachment; filename*0*=ISO-8859-1''%A3; filename*1=x", "attachment", {"filename": "£x"}),
        ("attachment; filename=a; filename*0=b; filename*1=c", "attachment", {"filename": "bc"}),
        ("attachment; filename*=UTF-8''a; filename*0=b", "attachment", {"filename": "a"}),
        ("attachment; filename*0=a; filename*2=c", "attachment", {"filename": "a"}),
        ("attachment; filename*1=b; filename*2=c", "attachment", {}),
        ("attachment; filename*00=a; filename*01=b", "attachment", {}),
        ("attachment; filename*0*=b; filename=a", "attachment", {"filename": "a"}),
        ("attachment; filename*0*=UTF-8''%ff; filename=a", "attachment", {"filename": "a"}),
        ("attachment; *=UTF-8''a; *0=b; x=y", "attachment", {"x": "y"}),
    ],
)
def test_kinds_and_parameters_are_read(value, kind, parameters):
    disposition = read_disposition(value)
    assert disposition is not None
    assert (disposition.kind, dict(disposition.parameters)) == (kind, parameters)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ";",
        '; name="a"',
        'name="a"',
        '"form-data"; name="a"',
        "form-data, attachment",
        'form data; name="a"',
        'form-data name="a"',
        'form-data; name="a" filename="b"',
        'form-data; name="a',
        'form-data; name=a"',
        'form-data; name="a"b',
        'form-data; "a"',
        "form-data; name",
        "form-data; name=",
        "form-data; =a",
        'form-data; name="a"; name="b"',
        'form-data; name="a"; NAME="a"',
        'form-data; name="a"; filename="x.png"; filename=x.php',
        "form-data; filename*=UTF-8''a; filename*=UTF-8''b",
        "form-data; filename*0=a; filename*0*=UTF-8''b",
        'form-data; имя="a"',
        'form-data; name="a\0"',
        'form-data; name="a\r\nX: b"',
        'form-data; name="a\ud800"',
        "form-data" + "".join(f"; p{number}=1" for number in range(33)),
        "form-data" + ";" * 40,
    ],
)
def test_what_has_two_readings_or_none_is_not_read(value):
    assert read_disposition(value) is None


def test_32_parameters_are_read():
    value = "form-data" + "".join(f"; p{number}=1" for number in range(32))
    assert len(read_disposition(value).parameters) == 32


def test_what_was_read_cannot_be_changed():
    disposition = read_disposition("form-data; name=a")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        disposition.name = "b"
    with pytest.raises(TypeError):
        disposition.parameters["name"] = "b"


@given(st.one_of(st.text(), st.text(alphabet="form-dat;=\"\\*'%name0123UTF8 \t/é\udcff")))
def test_reading_never_raises(value):
    for prefix in ("", "form-data;", "form-data; name=", 'attachment; filename="'):
        disposition = read_disposition(prefix + value)
        if disposition is not None and disposition.filename is not None:
            assert not {"/", "\\"} & set(disposition.filename)


@pytest.mark.parametrize(
    "prefix", ["form-data", "form-data; ", "form-data; name=", 'form-data; name="', "x; a*=UTF-8''"]
)
@pytest.mark.parametrize(
    "piece", [" ", "\t;", '"', '\\"', "\\", "a", "a=", 'a="', "a*0=", "%", "%22", "'", "é", "/", ' \t"', "\udcff"]
)
def test_time_is_linear(prefix, piece):
    for end in ("", "x", '"x', "\\"):
        assert_linear(lambda size, end=end: prefix + piece * (size // len(piece)) + end, read_disposition)


@pytest.mark.parametrize(
    ("filename", "safe"),
    [
        ("", "file"),
        (".", "file"),
        ("..", "file"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("a/b/", "b"),
        ("///", "file"),
        (".htaccess", "htaccess"),
        ("...a...", "a"),
        (" a . ", "a"),
        ("read me.txt", "read me.txt"),
        ("плоский.txt", "плоский.txt"),
        ("a\0b\r\nc", "a_b_c"),
        ('a:b*c?d"e<f>g|h', "a_b_c_d_e_f_g_h"),
        ("a.txt:stream", "a.txt_stream"),
        ("ann\u202egpj.exe", "ann_gpj.exe"),
        ("a\udcffb\ud800", "a_b_"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Aux .tar.gz", "_Aux .tar.gz"),
        ("com1", "_com1"),
        ("LPT¹.x", "_LPT¹.x"),
        ("CONIN$", "_CONIN$"),
        ("console.txt", "console.txt"),
        ("com10", "com10"),
        ("-rf", "-rf"),
        ("a" * 300 + ".tar.gz", "a" * 197 + ".gz"),
        ("a" * 300, "a" * 200),
        ("é" * 150 + ".png", "é" * 98 + ".png"),
        ("a." + "b" * 300, "a." + "b" * 198),
        ("a" * 195 + "..." + "b" * 5 + ".gz", "a" * 195 + ".gz"),
    ],
)
def test_a_filename_is_made_safe(filename, safe):
    assert safe_filename(filename) == safe


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("./\\ :conNUL1\u202e")), max_size=400))
def test_a_safe_filename_is_safe_and_stays_as_it_is(filename):
    safe = safe_filename(filename)
    assert 0 < len(safe.encode()) <= 200
    assert not any(char < " " for char in safe)
    assert not set('/\\:*?"<>|\x7f\u202e') & set(safe)
    assert safe == safe.strip(". ")
    assert safe_filename(safe) == safe


@pytest.mark.parametrize(
    ("kind", "given", "written"),
    [
        ("form-data", {"name": "a"}, 'form-data; name="a"'),
        ("form-data", {"name": "ж", "filename": ""}, 'form-data; name="ж"; filename=""'),
        ("form-data", {"name": 'a"b\r\n', "filename": "x\\y"}, 'form-data; name="a%22b%0D%0A"; filename="x\\\\y"'),
        ("form-data", {"filename": "100%.txt", "name": "f"}, 'form-data; name="f"; filename="100%.txt"'),
        ("attachment", {}, "attachment"),
        ("attachment", {"filename": "a b.txt"}, 'attachment; filename="a b.txt"'),
        (
            "attachment",
            {"filename": "€ rates.txt"},
            "attachment; filename=\"_ rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt",
        ),
        ("inline", {"filename": 'a"b'}, "inline; filename=\"a_b\"; filename*=UTF-8''a%22b"),
        ("inline", {"filename": "50%.txt"}, "inline; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("inline", {"filename": "a\nb\0"}, "inline; filename=\"a_b_\"; filename*=UTF-8''a%0Ab%00"),
        ("inline", {"filename": "a\udcff"}, "inline; filename=\"a_\"; filename*=UTF-8''a%FF"),
        ("attachment", {"name": "a", "size": "3"}, 'attachment; name="a"; size="3"'),
    ],
)
def test_a_disposition_is_written(kind, given, written):
    assert format_disposition(kind, **given) == written


@pytest.mark.parametrize(
    ("kind", "given", "error", "said"),
    [
        ("form data", {}, ValueError, "kind 'form data' is not a token"),
        ("a\r\nX: b", {}, ValueError, "not a token"),
        ("form-data", {"name": "a\0"}, ValueError, "a control character"),
        ("form-data", {"filename": "a\ud800"}, ValueError, "a lone surrogate"),
        ("attachment", {"filename": "a\ud800"}, ValueError, "a lone surrogate"),
        ("attachment", {"a b": "c"}, ValueError, "'a b' is not a token"),
        ("attachment", {"filename*": "c"}, ValueError, "is not a token without"),
        ("attachment", {"filename": b"c"}, TypeError, "filename must be str, not b'c'"),
        ("form-data", {"name": 1}, TypeError, "name must be str, not 1"),
    ],
)
def test_what_cannot_be_written_is_refused(kind, given, error, said):
    with pytest.raises(error, match=said.replace("*", r"\*")):
        format_disposition(kind, **given)


_escapes = ("%22", "%0d", "%0a")
_names = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('"\\\r\n\t%'), max_size=40).filter(
    lambda name: not any(escape in name.lower() for escape in _escapes)
)


@given(_names, _names)
def test_what_is_written_for_a_form_is_read_again(name, filename):
    disposition = read_disposition(format_disposition("form-data", name=name, filename=filename))
    assert disposition is not None
    assert dict(disposition.parameters) == {"name": name, "filename": filename}


@given(st.text(max_size=40))
def test_what_is_written_for_an_attachment_is_read_again(filename):
    disposition = read_disposition(format_disposition("attachment", filename=filename, x=filename))
    assert disposition is not None
    assert dict(disposition.parameters) == {"filename": filename, "x": filename}
