"""Multipart bodies in the formats of clients that were not recorded; see multipart.py."""

from __future__ import annotations

from tests.data.multipart import Golden, Meant, octets

_FIREFOX = Golden(
    "Firefox",
    "multipart/form-data; boundary=----geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8",
    octets(
        "------geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "------geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8\r\n"
        'Content-Disposition: form-data; name="a%22b"\r\n\r\n'
        "one\r\n"
        "two\r\n"
        "------geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8\r\n"
        'Content-Disposition: form-data; name="empty"; filename=""\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "\r\n"
        "------geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский %22x%22.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
        "\x00\udcff\r\n"
        "-\r\n"
        "------geckoformboundary7b1a3f4d2c5e6f708192a3b4c5d6e7f8--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant('a"b', b"one\r\ntwo"),
        Meant("empty", b"", "", "application/octet-stream"),
        Meant("f", b"\x00\xff\r\n-", 'плоский "x".png', "image/png"),
    ),
)
_FIREFOX_OLD = Golden(
    "older Firefox",
    "multipart/form-data; boundary=---------------------------9051914041544843365972754266",
    octets(
        "-----------------------------9051914041544843365972754266\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "-----------------------------9051914041544843365972754266\r\n"
        'Content-Disposition: form-data; name="a%22b"\r\n\r\n'
        "one\r\n"
        "two\r\n"
        "-----------------------------9051914041544843365972754266\r\n"
        'Content-Disposition: form-data; name="empty"; filename=""\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
        "\r\n"
        "-----------------------------9051914041544843365972754266\r\n"
        'Content-Disposition: form-data; name="f"; filename="плоский %22x%22.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
        "\x00\udcff\r\n"
        "-\r\n"
        "-----------------------------9051914041544843365972754266--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant('a"b', b"one\r\ntwo"),
        Meant("empty", b"", "", "application/octet-stream"),
        Meant("f", b"\x00\xff\r\n-", 'плоский "x".png', "image/png"),
    ),
)
_FIREFOX_ANCIENT = Golden(
    "Firefox with quoted-pairs, as it wrote before the URL-like escapes",
    "multipart/form-data; boundary=---------------------------9051914041544843365972754266",
    octets(
        "-----------------------------9051914041544843365972754266\r\n"
        'Content-Disposition: form-data; name="a\\"b"; filename="x\\"y.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "1\r\n"
        "-----------------------------9051914041544843365972754266--\r\n"
    ),
    (Meant('a"b', b"1", 'x"y.txt', "text/plain"),),
)
_SAFARI = Golden(
    "Safari",
    "multipart/form-data; boundary=----WebKitFormBoundaryf2BcdE7AbZk3yQ9L",
    octets(
        "------WebKitFormBoundaryf2BcdE7AbZk3yQ9L\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "------WebKitFormBoundaryf2BcdE7AbZk3yQ9L\r\n"
        'Content-Disposition: form-data; name="f"; filename="Bildschirmfoto é.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
        "\udc89PNG\r\n"
        "\x1a\n\r\n"
        "------WebKitFormBoundaryf2BcdE7AbZk3yQ9L--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant("f", b"\x89PNG\r\n\x1a\n", "Bildschirmfoto é.png", "image/png"),
    ),
)
_EMPTY = Golden(
    "a form without fields, as Chromium sends it",
    "multipart/form-data; boundary=----WebKitFormBoundaryf2BcdE7AbZk3yQ9L",
    octets("------WebKitFormBoundaryf2BcdE7AbZk3yQ9L--\r\n"),
    (),
)
_IE = Golden(
    'Internet Explorer with "include local path", page in Latin-1',
    "multipart/form-data; boundary=---------------------------7e13a2c1b0a4e",
    octets(
        "-----------------------------7e13a2c1b0a4e\r\n"
        'Content-Disposition: form-data; name="f"; filename="C:\\Dokumente\\gr\udcf6\udcdfe.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "1\r\n"
        "-----------------------------7e13a2c1b0a4e\r\n"
        'Content-Disposition: form-data; name="g"; filename="\\\\server\\share\\new.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "2\r\n"
        "-----------------------------7e13a2c1b0a4e--\r\n"
    ),
    (
        Meant("f", b"1", "größe.txt", "text/plain"),
        Meant("g", b"2", "new.txt", "text/plain"),
    ),
)
_JAVA = Golden(
    "Apache HttpClient for Java",
    "multipart/form-data; charset=UTF-8; boundary=y3MqKqvZ_C5Lk2PdXcSx7dbPJpmTTmfFB9-",
    octets(
        "--y3MqKqvZ_C5Lk2PdXcSx7dbPJpmTTmfFB9-\r\n"
        'Content-Disposition: form-data; name="title"\r\n'
        "Content-Type: text/plain; charset=UTF-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
        "плоский\r\n"
        "--y3MqKqvZ_C5Lk2PdXcSx7dbPJpmTTmfFB9-\r\n"
        'Content-Disposition: form-data; name="f"; filename="x.bin"\r\n'
        "Content-Type: application/octet-stream\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\n"
        "\r\r\n\r\n"
        "--y3MqKqvZ_C5Lk2PdXcSx7dbPJpmTTmfFB9---\r\n"
    ),
    (
        Meant("title", "плоский".encode(), None, "text/plain; charset=UTF-8"),
        Meant("f", b"\r\r\n", "x.bin", "application/octet-stream"),
    ),
)
_OKHTTP = Golden(
    "okhttp",
    "multipart/form-data; boundary=5c9d7f2e-31c4-4f0d-8a44-6f8f5a2d6d11",
    octets(
        "--5c9d7f2e-31c4-4f0d-8a44-6f8f5a2d6d11\r\n"
        'Content-Disposition: form-data; name="title"\r\n'
        "Content-Length: 1\r\n\r\n"
        "x\r\n"
        "--5c9d7f2e-31c4-4f0d-8a44-6f8f5a2d6d11\r\n"
        'Content-Disposition: form-data; name="f"; filename="a%22b.txt"\r\n'
        "Content-Type: text/plain\r\n"
        "Content-Length: 2\r\n\r\n"
        "\r\n\r\n"
        "--5c9d7f2e-31c4-4f0d-8a44-6f8f5a2d6d11--\r\n"
    ),
    (
        Meant("title", b"x"),
        Meant("f", b"\r\n", 'a"b.txt', "text/plain"),
    ),
)
_ANDROID = Golden(
    "HttpURLConnection as many tutorials for Android write it",
    "multipart/form-data;boundary=*****",
    octets('--*****\r\nContent-Disposition: form-data; name="f";filename="x.jpg"\r\n\r\n\udcff\udcd8\r\n--*****--\r\n'),
    (Meant("f", b"\xff\xd8", "x.jpg"),),
)
_DOTNET = Golden(
    "HttpClient of .NET",
    'multipart/form-data; boundary="b6f8f3f4-5c0e-4a0e-9f0b-0d1f7e0a9a11"',
    octets(
        "--b6f8f3f4-5c0e-4a0e-9f0b-0d1f7e0a9a11\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Disposition: form-data; name=title\r\n\r\n"
        "плоский\r\n"
        "--b6f8f3f4-5c0e-4a0e-9f0b-0d1f7e0a9a11\r\n"
        "Content-Disposition: form-data; name=f; filename=\"=?utf-8?B?0L8udHh0?=\"; filename*=utf-8''%D0%BF.txt\r\n\r\n"
        "1\r\n"
        "--b6f8f3f4-5c0e-4a0e-9f0b-0d1f7e0a9a11--\r\n"
    ),
    (
        Meant("title", "плоский".encode(), None, "text/plain; charset=utf-8"),
        Meant("f", b"1", "п.txt"),
    ),
)
_NODE = Golden(
    "form-data of Node, Postman",
    "multipart/form-data; boundary=--------------------------326194732104593716028412",
    octets(
        "----------------------------326194732104593716028412\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "плоский\r\n"
        "----------------------------326194732104593716028412\r\n"
        'Content-Disposition: form-data; name="f"; filename="x.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "--\r\n"
        "----------------------------326194732104593716028412--\r\n"
    ),
    (
        Meant("title", "плоский".encode()),
        Meant("f", b"--", "x.txt", "text/plain"),
    ),
)
_MAIL = Golden(
    "RFC 2046: preamble, padding, epilogue, parts without head",
    'multipart/mixed; boundary="=_boundary (of mail): 1/2"',
    octets(
        "This is the preamble.\r\n\r\n"
        "--=_boundary (of mail): 1/2 \t\r\n\r\n"
        "implicitly plain\r\n\r\n"
        "--=_boundary (of mail): 1/2\r\n"
        "Content-Type: text/plain\r\n\r\n"
        "explicit\r\n"
        "--=_boundary (of mail): 1/2\r\n\r\n"
        "--=_boundary (of mail): 1/2--  \r\n"
        "The epilogue.\r\n"
        "--=_boundary (of mail): 1/2\r\n\r\n"
        "not a part"
    ),
    (
        Meant(None, b"implicitly plain\r\n"),
        Meant(None, b"explicit", None, "text/plain"),
        Meant(None, b""),
    ),
)

FORMATS = (
    _FIREFOX,
    _FIREFOX_OLD,
    _FIREFOX_ANCIENT,
    _SAFARI,
    _EMPTY,
    _IE,
    _JAVA,
    _OKHTTP,
    _ANDROID,
    _DOTNET,
    _NODE,
    _MAIL,
)
"""In the formats of other clients."""
