/* parse_request_head() of head.py in C: the same function, for heads that are plain.

   parse_request_head(buffer, limits, previous=None) -> (RequestHead, int) | None

   It accepts, and never refuses. What it does not understand at a glance, be it wrong, incomplete, beyond a limit or
   only unusual, it hands over with all its arguments to its reference, parse_request_head_in_python of head.py. So there
   is one place that refuses, with one set of words, and all that has to be shown of this file is that it accepts
   nothing that the reference refuses, and reads alike what it accepts (tests/protocol/test_twins.py, fuzz/).

   First the octets are read, and no object is made: every pointer moves between a begin and an end, an octet is looked
   at only after `at < end`, and the end is within the limits, so the work is bounded too. Then the objects are made out
   of the spans that were found. Nothing is kept between two calls; what an interpreter's classes and strings are is
   looked up once, when the module is loaded, and counted as its own. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char octet;

typedef struct {
    const octet *start; /* NULL: not there */
    const octet *end;
} Span;

/* What a step of the way may say. */
typedef enum {
    FAILED = -1, /* a Python exception is set */
    UNUSUAL = 0, /* for the reference */
    PLAIN = 1,
} Verdict;

/* -- octets ------------------------------------------------------------------------------------------------------ */

enum {
    TCHAR = 1,    /* grammar.py, _TOKEN */
    PATH = 2,     /* _PATH */
    QUERY = 4,    /* _QUERY, which is _PATH and the question mark */
    REG_NAME = 8, /* _REG_NAME without its percent signs */
};

/* clang-format off */
static const octet CLASS[256] = {
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 00 */
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, /* 10 */
     0, 15,  0,  1, 15,  7, 15, 15, 14, 14, 15, 15, 14, 15, 15,  6, /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6, 14,  0, 14,  0,  4, /* 30 */
     6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6,  6,  6,  7, 15, /* 50 */
     7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  6,  7,  6, 15,  0, /* 70 */
    /* DEL and all that is not ASCII belongs to no class. */
};
/* clang-format on */

static const octet *
skip(const octet *at, const octet *end, int classes)
{
    while (at < end && CLASS[*at] & classes)
        at++;
    return at;
}

#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

/* To the first octet that no field value holds: a control that is not HTAB. Eight at a time for as long as none of
   them is below 0x20 or is 0x7f; so a tab ends the long strides, and nothing else. */
static const octet *
skip_value(const octet *at, const octet *end)
{
    uint64_t word, del;

    for (; end - at >= (Py_ssize_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        del = word ^ EACH(0x7f);
        if ((((word - EACH(0x20)) & ~word) | ((del - EACH(0x01)) & ~del)) & EACH(0x80))
            break;
    }
    while (at < end && (*at >= 0x20 ? *at != 0x7f : *at == '\t'))
        at++;
    return at;
}

static Span
strip(const octet *start, const octet *end)
{
    Span span;

    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    span.start = start;
    span.end = end;
    return span;
}

/* Is the span this text, which is written in lower case, in any case? */
static int
equals(Span span, const char *text)
{
    Py_ssize_t size = (Py_ssize_t)strlen(text), at;
    octet here;

    if (span.end - span.start != size)
        return 0;
    for (at = 0; at < size; at++) {
        here = span.start[at];
        if (here >= 'A' && here <= 'Z')
            here |= 0x20;
        if (here != (octet)text[at])
            return 0;
    }
    return 1;
}

static int
starts_with(const octet *at, const octet *end, PyObject *bytes)
{
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);

    return end - at >= size && memcmp(at, PyBytes_AS_STRING(bytes), (size_t)size) == 0;
}

static int
is_crlf(const octet *at, const octet *end)
{
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

/* -- the request line: grammar.py, REQUEST_LINE ------------------------------------------------------------------- */

typedef struct {
    Span method;
    Span target;           /* in origin-form */
    const octet *question; /* the first question mark in the target; NULL without one */
    int minor;
    const octet *start;
    const octet *end; /* behind its CRLF */
} Line;

static Verdict
read_line(const octet *at, const octet *end, Line *line)
{
    static const char version[] = {' ', 'H', 'T', 'T', 'P', '/', '1', '.'};

    line->start = line->method.start = at;
    line->method.end = at = skip(at, end, TCHAR);
    if (at == line->start || at == end || *at != ' ')
        return UNUSUAL;
    if (at - line->start == 7 && memcmp(line->start, "CONNECT", 7) == 0)
        return UNUSUAL; /* it has no target of this form */
    line->target.start = ++at;
    if (at == end || *at != '/')
        return UNUSUAL;
    at = skip(at, end, PATH);
    line->question = at < end && *at == '?' ? at : NULL;
    line->target.end = at = skip(at, end, QUERY);
    if (end - at < (Py_ssize_t)sizeof version + 1 || memcmp(at, version, sizeof version) != 0)
        return UNUSUAL;
    at += sizeof version;
    if (*at < '0' || *at > '9' || !is_crlf(at + 1, end))
        return UNUSUAL;
    line->minor = *at - '0';
    line->end = at + 3;
    return PLAIN;
}

/* -- the field section: FIELD_SECTION, DECIDING_FIELD, and _read_section of head.py -------------------------------- */

typedef struct {
    const octet *start;
    const octet *end; /* behind the empty line */
    Span host;
    Span connection;
    Span expect;
    long long length; /* -1: none */
    int chunked;
} Section;

/* uri-host [ ":" port ]: a name or an IPv4 address, or nothing at all. Brackets and percent signs are unusual. */
static Verdict
check_host(Span host)
{
    const octet *at = skip(host.start, host.end, REG_NAME), *colon = at;
    long port = 0;

    if (at == host.end)
        return PLAIN;
    if (*at++ != ':' || colon == host.start || host.end - at > 5)
        return UNUSUAL;
    for (; at < host.end; at++) {
        if (*at < '0' || *at > '9')
            return UNUSUAL;
        port = 10 * port + (*at - '0');
    }
    return port <= 65535 ? PLAIN : UNUSUAL;
}

static Verdict
read_length(Span digits, long long *length)
{
    const octet *at = digits.start;
    long long value = 0;

    if (at == digits.end || digits.end - at > 18) /* eighteen digits fit */
        return UNUSUAL;
    for (; at < digits.end; at++) {
        if (*at < '0' || *at > '9')
            return UNUSUAL;
        value = 10 * value + (*at - '0');
    }
    *length = value;
    return PLAIN;
}

/* Keep what a field decides. A field that has come before is an error for most, and unusual for all. */
static Verdict
note_field(Section *section, Span name, const octet *value_start, const octet *value_end)
{
    Span *place;

    switch (name.end - name.start) {
    case 4:
        if (!equals(name, "host"))
            return PLAIN;
        place = &section->host;
        break;
    case 6:
        if (!equals(name, "expect"))
            return PLAIN;
        place = &section->expect;
        break;
    case 10:
        if (!equals(name, "connection"))
            return PLAIN;
        place = &section->connection;
        break;
    case 14:
        if (!equals(name, "content-length"))
            return PLAIN;
        return section->length < 0 ? read_length(strip(value_start, value_end), &section->length) : UNUSUAL;
    case 17:
        if (!equals(name, "transfer-encoding"))
            return PLAIN;
        if (section->chunked || !equals(strip(value_start, value_end), "chunked"))
            return UNUSUAL;
        section->chunked = 1;
        return PLAIN;
    default:
        return PLAIN;
    }
    if (place->start != NULL)
        return UNUSUAL;
    *place = strip(value_start, value_end);
    return place == &section->host ? check_host(*place) : PLAIN;
}

static Verdict
read_section(const octet *at, const octet *end, Py_ssize_t longest, Py_ssize_t most, Section *section)
{
    const octet *value;
    Span name;

    memset(section, 0, sizeof *section);
    section->start = at;
    section->length = -1;
    for (;;) {
        name.start = at;
        name.end = at = skip(at, end, TCHAR);
        if (at == name.start)
            break;
        if (at == end || *at != ':')
            return UNUSUAL;
        value = ++at;
        at = skip_value(at, end);
        if (!is_crlf(at, end) || at - name.start > longest || most-- == 0)
            return UNUSUAL;
        if (note_field(section, name, value, at) != PLAIN)
            return UNUSUAL;
        at += 2;
    }
    if (!is_crlf(at, end) || (section->chunked && section->length >= 0))
        return UNUSUAL;
    section->end = at + 2;
    return PLAIN;
}

/* -- objects ----------------------------------------------------------------------------------------------------- */

/* What this interpreter calls them; the state of the module is an array of these. */
enum {
    REQUEST_HEAD, /* classes and values of events.py */
    FIELD_SECTION,
    HTTP_10,
    HTTP_11,
    RAW, /* the members of FieldSection, in its order */
    HOST,
    CONTENT_LENGTH,
    CHUNKED,
    OPTIONS,
    EXPECT,
    PAIRS,
    HEADERS,
    FOUND,
    LIMIT_LINE, /* names of limits */
    LIMIT_FIELD,
    LIMIT_FIELDS,
    LIMIT_HEAD,
    NO_OPTIONS, /* frozenset() */
    PERSISTENT, /* frozenset({"keep-alive"}), what most clients send */
    CLOSE,      /* strings */
    KEEP_ALIVE,
    LOWER,
    METHODS, /* and those of METHOD_NAMES behind it */
};

static const char *const MEMBER_NAMES[] = {"raw",     "host",   "content_length", "chunked",
                                           "options", "expect", "_pairs",         "_headers", "_found"};
static const char *const LIMIT_NAMES[] = {"line", "field", "fields", "head"};
static const char *const METHOD_NAMES[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};
enum { HEAD_SIZE = 10 }; /* members of RequestHead; those that are read here: */
enum { HEAD_FIELDS = 6, HEAD_LINE = 9 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define KNOWN (METHODS + COUNT(METHOD_NAMES))

static PyObject *
text(const octet *start, const octet *end)
{
    return PyUnicode_DecodeLatin1((const char *)start, end - start, NULL);
}

static PyObject *
text_or_none(Span span)
{
    return span.start == NULL ? Py_NewRef(Py_None) : text(span.start, span.end);
}

static PyObject *
bytes(const octet *start, const octet *end)
{
    return PyBytes_FromStringAndSize((const char *)start, end - start);
}

static PyObject *
lowered(PyObject **known, Span span)
{
    PyObject *mixed = text(span.start, span.end), *lower;

    if (mixed == NULL)
        return NULL;
    lower = PyObject_CallMethodNoArgs(mixed, known[LOWER]);
    Py_DECREF(mixed);
    return lower;
}

/* The connection options: a comma-separated list, in lower case. */
static PyObject *
make_options(PyObject **known, Span value)
{
    const octet *at, *comma;
    PyObject *options, *option;
    int added;

    if (value.start == NULL)
        return Py_NewRef(known[NO_OPTIONS]);
    if (equals(value, "keep-alive"))
        return Py_NewRef(known[PERSISTENT]);
    options = PyFrozenSet_New(NULL);
    for (at = value.start; options != NULL; at = comma + 1) {
        comma = memchr(at, ',', (size_t)(value.end - at));
        option = lowered(known, strip(at, comma != NULL ? comma : value.end));
        added = option != NULL ? PySet_Add(options, option) : -1;
        Py_XDECREF(option);
        if (added < 0)
            Py_CLEAR(options);
        if (comma == NULL)
            break;
    }
    return options;
}

/* Members are read and written by their descriptors, as an attribute is after it was looked up. */
static PyObject *
get(PyObject **known, int member, PyObject *fields)
{
    return Py_TYPE(known[member])->tp_descr_get(known[member], fields, (PyObject *)Py_TYPE(fields));
}

/* Takes the reference to `value`, which is NULL if it could not be made. */
static int
put(PyObject **known, int member, PyObject *fields, PyObject *value)
{
    int done;

    if (value == NULL)
        return -1;
    done = Py_TYPE(known[member])->tp_descr_set(known[member], fields, value);
    Py_DECREF(value);
    return done;
}

static PyObject *
make_fields(PyObject **known, const Section *section)
{
    PyTypeObject *type = (PyTypeObject *)known[FIELD_SECTION];
    PyObject *fields = type->tp_alloc(type, 0);

    if (fields == NULL)
        return NULL;
    if (put(known, RAW, fields, bytes(section->start, section->end)) < 0 ||
        put(known, HOST, fields, text_or_none(section->host)) < 0 ||
        put(known, CONTENT_LENGTH, fields,
            section->length < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(section->length)) < 0 ||
        put(known, CHUNKED, fields, PyBool_FromLong(section->chunked)) < 0 ||
        put(known, OPTIONS, fields, make_options(known, section->connection)) < 0 ||
        put(known, EXPECT, fields,
            section->expect.start == NULL ? Py_NewRef(Py_None) : lowered(known, section->expect)) < 0 ||
        put(known, PAIRS, fields, Py_NewRef(Py_None)) < 0 || put(known, HEADERS, fields, Py_NewRef(Py_None)) < 0 ||
        put(known, FOUND, fields, Py_NewRef(Py_None)) < 0)
        Py_CLEAR(fields);
    return fields;
}

static PyObject *
make_method(PyObject **known, Span method)
{
    size_t size = (size_t)(method.end - method.start), which;

    for (which = 0; which < COUNT(METHOD_NAMES); which++)
        if (size == strlen(METHOD_NAMES[which]) && memcmp(method.start, METHOD_NAMES[which], size) == 0)
            return Py_NewRef(known[METHODS + which]);
    return text(method.start, method.end);
}

/* _make_head of head.py: what depends on the request line and on the fields. */
static Verdict
make_head(PyObject **known, const Line *line, PyObject *fields, PyObject **head)
{
    PyObject *host = get(known, HOST, fields), *chunked = get(known, CHUNKED, fields);
    PyObject *length = get(known, CONTENT_LENGTH, fields), *options = get(known, OPTIONS, fields);
    PyObject *members = NULL, *arguments = NULL, *target;
    Verdict verdict = FAILED;
    int is_chunked, closes, persists, has_body, place;

    if (host == NULL || chunked == NULL || length == NULL || options == NULL)
        goto exit;
    if (!PyAnySet_CheckExact(options)) {
        verdict = UNUSUAL;
        goto exit;
    }
    is_chunked = PyObject_IsTrue(chunked);
    has_body = is_chunked ? is_chunked : PyObject_IsTrue(length);
    closes = PySet_Contains(options, known[CLOSE]);
    persists = line->minor > 0 ? 1 : PySet_Contains(options, known[KEEP_ALIVE]);
    if (is_chunked < 0 || has_body < 0 || closes < 0 || persists < 0)
        goto exit;
    if (line->minor > 0 ? host == Py_None : is_chunked) {
        verdict = UNUSUAL;
        goto exit;
    }
    members = PyTuple_New(HEAD_SIZE);
    target = text(line->target.start, line->target.end);
    if (members == NULL || target == NULL) {
        Py_XDECREF(target);
        goto exit;
    }
    PyTuple_SET_ITEM(members, 0, make_method(known, line->method));
    PyTuple_SET_ITEM(members, 1, target);
    if (line->question == NULL) {
        PyTuple_SET_ITEM(members, 2, Py_NewRef(target));
        PyTuple_SET_ITEM(members, 3, text(line->target.end, line->target.end));
    }
    else {
        PyTuple_SET_ITEM(members, 2, text(line->target.start, line->question));
        PyTuple_SET_ITEM(members, 3, text(line->question + 1, line->target.end));
    }
    PyTuple_SET_ITEM(members, 4, Py_NewRef(host));
    PyTuple_SET_ITEM(members, 5, Py_NewRef(known[line->minor > 0 ? HTTP_11 : HTTP_10]));
    PyTuple_SET_ITEM(members, HEAD_FIELDS, Py_NewRef(fields));
    PyTuple_SET_ITEM(members, 7, PyBool_FromLong(has_body));
    PyTuple_SET_ITEM(members, 8, PyBool_FromLong(persists && !closes));
    PyTuple_SET_ITEM(members, HEAD_LINE, bytes(line->start, line->end));
    for (place = 0; place < HEAD_SIZE; place++)
        if (PyTuple_GET_ITEM(members, place) == NULL)
            goto exit;
    /* tuple.__new__(RequestHead, members) */
    arguments = PyTuple_Pack(1, members);
    if (arguments == NULL)
        goto exit;
    *head = PyTuple_Type.tp_new((PyTypeObject *)known[REQUEST_HEAD], arguments, NULL);
    verdict = *head != NULL ? PLAIN : FAILED;
exit:
    Py_XDECREF(arguments);
    Py_XDECREF(members);
    Py_XDECREF(host);
    Py_XDECREF(chunked);
    Py_XDECREF(length);
    Py_XDECREF(options);
    return verdict;
}

/* -- the function ------------------------------------------------------------------------------------------------ */

/* A limit as a size; -1 if it is none. More than any buffer can hold is as much as a buffer can hold. */
static Py_ssize_t
get_limit(PyObject **known, PyObject *limits, int name)
{
    PyObject *limit = PyObject_GetAttr(limits, known[name]);
    long long size = -1;
    int overflow = 0;

    if (limit == NULL)
        PyErr_Clear(); /* the reference will meet it */
    else if (PyLong_CheckExact(limit))
        size = PyLong_AsLongLongAndOverflow(limit, &overflow);
    Py_XDECREF(limit);
    return overflow > 0 || size > PY_SSIZE_T_MAX ? PY_SSIZE_T_MAX : (Py_ssize_t)size;
}

/* The end of what may be looked at: the limit, and `more` octets behind it. */
static const octet *
within(const octet *start, const octet *end, Py_ssize_t limit, Py_ssize_t more)
{
    return end - start - more > limit ? start + limit + more : end;
}

/* The fields that begin at `at`, and in `behind` where they end. */
static Verdict
find_fields(PyObject **known, const octet *at, const octet *end, PyObject *limits, PyObject **fields,
            const octet **behind)
{
    Py_ssize_t head = get_limit(known, limits, LIMIT_HEAD), field = get_limit(known, limits, LIMIT_FIELD);
    Py_ssize_t most = get_limit(known, limits, LIMIT_FIELDS);
    Section section;

    if (head < 0 || field < 0 || most < 0)
        return UNUSUAL;
    if (read_section(at, within(at, end, head, 0), field, most, &section) != PLAIN)
        return UNUSUAL;
    *behind = section.end;
    *fields = make_fields(known, &section);
    return *fields != NULL ? PLAIN : FAILED;
}

/* The head in these octets, as (head, size). `raw` are the field lines of `previous`; NULL if there is no such head. */
static Verdict
read_head(PyObject **known, const octet *start, const octet *end, PyObject *limits, PyObject *previous, PyObject *raw,
          PyObject **result)
{
    PyObject *before, *fields = NULL, *head = NULL;
    const octet *behind;
    Py_ssize_t longest, size;
    Verdict verdict;
    Line line;

    if (raw != NULL) {
        before = PyTuple_GET_ITEM(previous, HEAD_LINE);
        size = PyBytes_GET_SIZE(before);
        if (size && starts_with(start, end, before) && starts_with(start + size, end, raw)) {
            *result = Py_BuildValue("On", previous, size + PyBytes_GET_SIZE(raw));
            return *result != NULL ? PLAIN : FAILED;
        }
    }
    longest = get_limit(known, limits, LIMIT_LINE);
    if (longest < 0 || read_line(start, within(start, end, longest, 2), &line) != PLAIN)
        return UNUSUAL;
    if (raw != NULL && starts_with(line.end, end, raw)) {
        fields = Py_NewRef(PyTuple_GET_ITEM(previous, HEAD_FIELDS));
        behind = line.end + PyBytes_GET_SIZE(raw);
        verdict = PLAIN;
    }
    else
        verdict = find_fields(known, line.end, end, limits, &fields, &behind);
    if (verdict == PLAIN)
        verdict = make_head(known, &line, fields, &head);
    if (verdict == PLAIN) {
        *result = Py_BuildValue("Nn", head, behind - start); /* takes the reference to head */
        if (*result == NULL)
            verdict = FAILED;
    }
    Py_XDECREF(fields);
    return verdict;
}

static PyObject *
hand_over(PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *module = PyImport_ImportModule("aioweb.protocol.head"), *reference, *result = NULL;

    if (module == NULL)
        return NULL;
    reference = PyObject_GetAttrString(module, "parse_request_head_in_python");
    Py_DECREF(module);
    if (reference != NULL)
        result = PyObject_Vectorcall(reference, arguments, (size_t)count, keywords);
    Py_XDECREF(reference);
    return result;
}

static PyObject *
parse_request_head(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject **known = PyModule_GetState(module);
    PyObject *buffer, *previous, *raw = NULL, *result = NULL;
    Py_buffer view; /* holds a bytearray in its place until it is released */
    Verdict verdict;

    if (keywords != NULL || count < 2 || count > 3)
        return hand_over(arguments, count, keywords);
    buffer = arguments[0];
    previous = count == 3 ? arguments[2] : Py_None;
    if (!PyBytes_CheckExact(buffer) && !PyByteArray_CheckExact(buffer))
        return hand_over(arguments, count, NULL);
    if (previous != Py_None) {
        if (Py_TYPE(previous) != (PyTypeObject *)known[REQUEST_HEAD] || PyTuple_GET_SIZE(previous) != HEAD_SIZE ||
            Py_TYPE(PyTuple_GET_ITEM(previous, HEAD_FIELDS)) != (PyTypeObject *)known[FIELD_SECTION] ||
            !PyBytes_CheckExact(PyTuple_GET_ITEM(previous, HEAD_LINE)))
            return hand_over(arguments, count, NULL);
        raw = get(known, RAW, PyTuple_GET_ITEM(previous, HEAD_FIELDS));
        if (raw == NULL)
            return NULL;
        if (!PyBytes_CheckExact(raw)) {
            Py_DECREF(raw);
            return hand_over(arguments, count, NULL);
        }
    }
    if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0) {
        Py_XDECREF(raw);
        return NULL;
    }
    verdict = read_head(known, view.buf, (const octet *)view.buf + view.len, arguments[1], previous, raw, &result);
    PyBuffer_Release(&view);
    Py_XDECREF(raw);
    return verdict == UNUSUAL ? hand_over(arguments, count, NULL) : result;
}

/* -- the module -------------------------------------------------------------------------------------------------- */

static int
learn_strings(PyObject **known, int first, const char *const *names, size_t count)
{
    size_t which;

    for (which = 0; which < count; which++)
        if ((known[first + which] = PyUnicode_InternFromString(names[which])) == NULL)
            return -1;
    return 0;
}

/* The members of FieldSection. If they are not those that this file fills, it is not the twin of these classes. */
static int
learn_members(PyObject **known)
{
    PyObject *slots = PyObject_GetAttrString(known[FIELD_SECTION], "__slots__");
    Py_ssize_t count = slots != NULL ? PyObject_Size(slots) : -1; /* with __weakref__ */
    size_t which;

    Py_XDECREF(slots);
    if (count < 0)
        return -1;
    for (which = 0; which < COUNT(MEMBER_NAMES); which++) {
        PyObject *member = PyObject_GetAttrString(known[FIELD_SECTION], MEMBER_NAMES[which]);
        if (member == NULL)
            return -1;
        known[RAW + which] = member;
        if (Py_TYPE(member) != &PyMemberDescr_Type)
            count = -1;
    }
    if (count != (Py_ssize_t)COUNT(MEMBER_NAMES) + 1) {
        PyErr_SetString(PyExc_ImportError, "aioweb.protocol._head does not know this FieldSection");
        return -1;
    }
    return 0;
}

static int
learn(PyObject *module)
{
    static const char *const event_names[] = {"RequestHead", "FieldSection", "HttpVersion10", "HttpVersion11"};
    static const char *const words[] = {"close", "keep-alive", "lower"};
    PyObject **known = PyModule_GetState(module);
    PyObject *events = PyImport_ImportModule("aioweb.protocol.events"), *alone;
    size_t which;

    if (events == NULL)
        return -1;
    for (which = 0; which < COUNT(event_names); which++)
        known[REQUEST_HEAD + which] = PyObject_GetAttrString(events, event_names[which]);
    Py_DECREF(events);
    for (which = 0; which < COUNT(event_names); which++)
        if (known[REQUEST_HEAD + which] == NULL)
            return -1;
    if (!PyType_Check(known[REQUEST_HEAD]) || !PyType_Check(known[FIELD_SECTION]) ||
        !PyType_IsSubtype((PyTypeObject *)known[REQUEST_HEAD], &PyTuple_Type)) {
        PyErr_SetString(PyExc_ImportError, "aioweb.protocol._head does not know these events");
        return -1;
    }
    if (learn_members(known) < 0 || learn_strings(known, LIMIT_LINE, LIMIT_NAMES, COUNT(LIMIT_NAMES)) < 0 ||
        learn_strings(known, CLOSE, words, COUNT(words)) < 0 ||
        learn_strings(known, METHODS, METHOD_NAMES, COUNT(METHOD_NAMES)) < 0)
        return -1;
    known[NO_OPTIONS] = PyFrozenSet_New(NULL);
    alone = PyTuple_Pack(1, known[KEEP_ALIVE]);
    known[PERSISTENT] = alone != NULL ? PyFrozenSet_New(alone) : NULL;
    Py_XDECREF(alone);
    return known[NO_OPTIONS] != NULL && known[PERSISTENT] != NULL ? 0 : -1;
}

static int
traverse(PyObject *module, visitproc visit, void *arg)
{
    PyObject **known = PyModule_GetState(module);
    size_t which;

    for (which = 0; known != NULL && which < KNOWN; which++)
        Py_VISIT(known[which]);
    return 0;
}

static int
clear(PyObject *module)
{
    PyObject **known = PyModule_GetState(module);
    size_t which;

    for (which = 0; known != NULL && which < KNOWN; which++)
        Py_CLEAR(known[which]);
    return 0;
}

static void
release(void *module)
{
    (void)clear(module);
}

PyDoc_STRVAR(parse_request_head_doc,
"parse_request_head($module, buffer, limits, previous=None)\n--\n\n"
"Parse the head at the beginning of `buffer`: what parse_request_head_in_python does, in less time.");

static PyMethodDef functions[] = {
    {"parse_request_head", (PyCFunction)(void (*)(void))parse_request_head, METH_FASTCALL | METH_KEYWORDS,
     parse_request_head_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, learn},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "aioweb.protocol._head",
    .m_doc = "The twin in C of aioweb.protocol.head.",
    .m_size = KNOWN * sizeof(PyObject *),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC
PyInit__head(void)
{
    return PyModuleDef_Init(&definition);
}
