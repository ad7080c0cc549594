/* encode_response(), encode_fields() and encode_chunk() of encode.py in C: the same functions, for what is plain.

   encode_response(head, status, reason, fields, content, keep_alive) -> (bytes, Framing)
   encode_fields(pairs) -> bytes
   encode_chunk(data) -> bytes

   They accept, and never refuse. What they do not understand at a glance they hand over with all its arguments to their
   references in encode.py, whose names end in _in_python. So there is one place that refuses,
   with one set of words, and all that has to be shown of this file is that it writes what the references write
   (tests/protocol/test_twins.py, fuzz/).

   Plain are fields in a list or a tuple of pairs, whose names are tokens and whose values hold no controls. Plain is a
   response with content, of the very types that the reference names, with a reason in ASCII. Whether there is
   content, and how it is framed, is for framing.py to decide: its sets are asked at every call, and its framings of
   content whose length is known are learnt by asking it, when the module is loaded. Nothing is kept between two calls.

   First all parts of a message are found, then room is made for their sum, then they are copied, once. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

/* What a step of the way may say. */
typedef enum {
    FAILED = -1, /* a Python exception is set */
    UNUSUAL = 0, /* for the reference */
    PLAIN = 1,
} Verdict;

/* What this interpreter calls them; the state of the module is an array of these. */
enum {
    MODULE, /* the names of the references: that of their module, then their own */
    ENCODE_RESPONSE,
    ENCODE_FIELDS,
    ENCODE_CHUNK,
    ISTR, /* the kind of str that multidict keeps names in */
    REQUEST_HEAD, /* classes and values of events.py */
    HTTP_10,
    SPECIAL_METHODS, /* and of framing.py */
    WITHOUT_CONTENT,
    CLOSE, /* the framings of content whose length is known, by what the Connection field has to say */
    PERSIST,
    PERSIST_10,
    LINES, /* what each of these three writes between the length and the content */
    KNOWN = LINES + (PERSIST_10 - CLOSE + 1),
};

enum { HEAD_SIZE = 10 }; /* members of RequestHead; those that are read here: */
enum { HEAD_METHOD = 0, HEAD_VERSION = 5, HEAD_KEEP_ALIVE = 8 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* -- octets ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *start;
    Py_ssize_t size;
} Part;

#define TEXT(literal) {literal, sizeof literal - 1}
#define BYTES(object) {PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object)}

/* All parts as one bytes object; NULL with an exception if there is no room for them. */
static PyObject *
join(const Part *parts, size_t count)
{
    PyObject *joined;
    Py_ssize_t size = 0;
    size_t which;
    char *at;

    for (which = 0; which < count; which++) {
        if (parts[which].size > PY_SSIZE_T_MAX - size)
            return PyErr_NoMemory();
        size += parts[which].size;
    }
    joined = PyBytes_FromStringAndSize(NULL, size);
    if (joined == NULL)
        return NULL;
    at = PyBytes_AS_STRING(joined);
    for (which = 0; which < count; which++) {
        memcpy(at, parts[which].start, (size_t)parts[which].size);
        at += parts[which].size;
    }
    return joined;
}

enum { DIGITS = 20 }; /* no size has more */

/* The digits of a number, the last of them in front of `end`. */
static Part
write_number(char *end, Py_ssize_t number, int base)
{
    Part digits = {end, 0};

    do {
        *(char *)--digits.start = "0123456789abcdef"[number % base];
        digits.size++;
    } while (number /= base);
    return digits;
}

/* A reason that holds ASCII only, and nothing that check_reason of encode.py refuses. */
static Verdict
read_reason(PyObject *reason, Part *text)
{
    Py_ssize_t at;
    char here;

    text->start = PyUnicode_CheckExact(reason) ? PyUnicode_AsUTF8AndSize(reason, &text->size) : NULL;
    if (text->start == NULL) {
        PyErr_Clear(); /* a lone surrogate: the reference will meet it */
        return UNUSUAL;
    }
    for (at = 0; at < text->size; at++) {
        here = text->start[at];
        if (!(here >= 0x20 && here < 0x7f) && here != '\t')
            return UNUSUAL;
    }
    return PLAIN;
}

/* What a token holds (grammar.py, _TOKEN) beside letters and digits. */
static int
in_token(char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') ||
           (octet != '\0' && strchr("-!#$%&'*+.^_`|~", octet) != NULL);
}

/* Text as UTF-8, if it is of a class that has no methods of its own. */
static Verdict
read_text(PyObject **known, PyObject *object, Part *text)
{
    if (!PyUnicode_CheckExact(object) && Py_TYPE(object) != (PyTypeObject *)known[ISTR])
        return UNUSUAL;
    text->start = PyUnicode_AsUTF8AndSize(object, &text->size);
    if (text->start == NULL) {
        PyErr_Clear(); /* a lone surrogate: the reference knows which may stand for octets */
        return UNUSUAL;
    }
    return PLAIN;
}

/* A field that the reference does not refuse: a token, and octets that BAD_IN_VALUE of grammar.py does not find. */
static Verdict
read_field(PyObject **known, PyObject *pair, Part *name, Part *value)
{
    Py_ssize_t at;
    unsigned char here;

    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 ||
        read_text(known, PyTuple_GET_ITEM(pair, 0), name) != PLAIN ||
        read_text(known, PyTuple_GET_ITEM(pair, 1), value) != PLAIN || name->size == 0)
        return UNUSUAL;
    for (at = 0; at < name->size; at++)
        if (!in_token(name->start[at]))
            return UNUSUAL;
    for (at = 0; at < value->size; at++) {
        here = (unsigned char)value->start[at];
        if ((here < 0x20 && here != '\t') || here == 0x7f)
            return UNUSUAL;
    }
    return PLAIN;
}

static char *
copy(char *at, Part part)
{
    memcpy(at, part.start, (size_t)part.size);
    return at + part.size;
}

/* -- the functions ----------------------------------------------------------------------------------------------- */

static PyObject *
hand_over(PyObject **known, int name, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    /* It is what has loaded this module, and a look into sys.modules costs less than an import. */
    PyObject *module = PyImport_GetModule(known[MODULE]), *reference, *result = NULL;

    if (module == NULL && !PyErr_Occurred())
        module = PyImport_Import(known[MODULE]);
    if (module == NULL)
        return NULL;
    reference = PyObject_GetAttr(module, known[name]);
    Py_DECREF(module);
    if (reference != NULL)
        result = PyObject_Vectorcall(reference, arguments, (size_t)count, keywords);
    Py_XDECREF(reference);
    return result;
}

/* Which of the three framings; none for a response without content, and for what is not what it should be. */
static Verdict
choose_framing(PyObject **known, PyObject *head, PyObject *status, PyObject *keep_alive, int *framing)
{
    PyObject *method, *client_keeps_alive;
    int found;

    if (Py_TYPE(head) != (PyTypeObject *)known[REQUEST_HEAD] || PyTuple_GET_SIZE(head) != HEAD_SIZE)
        return UNUSUAL;
    method = PyTuple_GET_ITEM(head, HEAD_METHOD);
    client_keeps_alive = PyTuple_GET_ITEM(head, HEAD_KEEP_ALIVE);
    if (!PyUnicode_CheckExact(method) || !PyLong_CheckExact(status) || !PyBool_Check(keep_alive) ||
        !PyBool_Check(client_keeps_alive))
        return UNUSUAL;
    found = PySet_Contains(known[SPECIAL_METHODS], method);
    if (found == 0)
        found = PySet_Contains(known[WITHOUT_CONTENT], status);
    if (found != 0)
        return found < 0 ? FAILED : UNUSUAL;
    if (keep_alive != Py_True || client_keeps_alive != Py_True)
        *framing = CLOSE;
    else
        *framing = PyTuple_GET_ITEM(head, HEAD_VERSION) == known[HTTP_10] ? PERSIST_10 : PERSIST;
    return PLAIN;
}

static Verdict
write_response(PyObject **known, PyObject *status, PyObject *reason, PyObject *fields, PyObject *content, int framing,
               PyObject **octets)
{
    char line[] = "HTTP/1.1 000 ", digits[DIGITS];
    int overflow;
    long code = PyLong_AsLongAndOverflow(status, &overflow);
    Part text;

    if (code < 200 || code > 999 || read_reason(reason, &text) != PLAIN || !PyBytes_CheckExact(fields) ||
        !PyBytes_CheckExact(content))
        return UNUSUAL;
    (void)write_number(line + strlen("HTTP/1.1 000"), code, 10);
    {
        const Part parts[] = {
            TEXT(line),
            text,
            TEXT("\r\n"),
            BYTES(fields),
            TEXT("Content-Length: "),
            write_number(digits + DIGITS, PyBytes_GET_SIZE(content), 10),
            BYTES(known[LINES + framing - CLOSE]),
            BYTES(content),
        };
        *octets = join(parts, COUNT(parts));
    }
    return *octets != NULL ? PLAIN : FAILED;
}

static PyObject *
encode_response(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject **known = PyModule_GetState(module), *octets = NULL, *result = NULL;
    Verdict verdict = UNUSUAL;
    int framing;

    if (keywords == NULL && count == 6)
        verdict = choose_framing(known, arguments[0], arguments[1], arguments[5], &framing);
    if (verdict == PLAIN)
        verdict = write_response(known, arguments[1], arguments[2], arguments[3], arguments[4], framing, &octets);
    if (verdict == UNUSUAL)
        return hand_over(known, ENCODE_RESPONSE, arguments, count, keywords);
    if (verdict == PLAIN)
        result = PyTuple_Pack(2, octets, known[framing]);
    Py_XDECREF(octets);
    return result;
}

static PyObject *
encode_fields(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    static const Part colon = TEXT(": "), end_of_line = TEXT("\r\n");
    PyObject **known = PyModule_GetState(module), *pairs = count == 1 && keywords == NULL ? arguments[0] : Py_None;
    PyObject *fields, *octets = NULL;
    Verdict verdict = PLAIN;
    Py_ssize_t which, size = 0;
    Part name, value;
    char *at;

    if (!PyList_CheckExact(pairs) && !PyTuple_CheckExact(pairs))
        return hand_over(known, ENCODE_FIELDS, arguments, count, keywords);
    fields = PySequence_Tuple(pairs); /* nobody may change them between the two rounds */
    if (fields == NULL)
        return NULL;
    for (which = 0; which < PyTuple_GET_SIZE(fields) && verdict == PLAIN; which++) {
        verdict = read_field(known, PyTuple_GET_ITEM(fields, which), &name, &value);
        if (verdict == PLAIN && (name.size > PY_SSIZE_T_MAX / 4 || value.size > PY_SSIZE_T_MAX / 4 - size))
            verdict = UNUSUAL; /* more than there is room for */
        if (verdict == PLAIN)
            size += name.size + colon.size + value.size + end_of_line.size;
    }
    if (verdict == PLAIN)
        octets = PyBytes_FromStringAndSize(NULL, size);
    at = octets != NULL ? PyBytes_AS_STRING(octets) : NULL;
    for (which = 0; octets != NULL && which < PyTuple_GET_SIZE(fields); which++) {
        (void)read_text(known, PyTuple_GET_ITEM(PyTuple_GET_ITEM(fields, which), 0), &name);
        (void)read_text(known, PyTuple_GET_ITEM(PyTuple_GET_ITEM(fields, which), 1), &value);
        at = copy(copy(copy(copy(at, name), colon), value), end_of_line);
    }
    Py_DECREF(fields);
    return verdict == PLAIN ? octets : hand_over(known, ENCODE_FIELDS, arguments, count, keywords);
}

static PyObject *
encode_chunk(PyObject *module, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    char digits[DIGITS];
    PyObject *data = count == 1 && keywords == NULL ? arguments[0] : Py_None, *chunk;
    Py_buffer view; /* holds a bytearray in its place until it is released */

    if (!PyBytes_CheckExact(data) && !PyByteArray_CheckExact(data) && !PyMemoryView_Check(data))
        return hand_over(PyModule_GetState(module), ENCODE_CHUNK, arguments, count, keywords);
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear(); /* a view with gaps, or of what is gone: the reference will meet it */
        return hand_over(PyModule_GetState(module), ENCODE_CHUNK, arguments, count, keywords);
    }
    if (view.len == 0)
        chunk = PyBytes_FromStringAndSize(NULL, 0);
    else {
        const Part parts[] = {
            write_number(digits + DIGITS, view.len, 16), TEXT("\r\n"), {view.buf, view.len}, TEXT("\r\n")};
        chunk = join(parts, COUNT(parts));
    }
    PyBuffer_Release(&view);
    return chunk;
}

/* -- the module -------------------------------------------------------------------------------------------------- */

/* framing.py is asked how it frames content whose length is known. An answer of another kind, and this file is not the
   twin of that one. */
static int
learn_framing(PyObject **known, int place, PyObject *module, PyObject *version, int keep_alive)
{
    PyObject *framing, *announces = NULL, *fields = NULL;

    known[place] = framing = PyObject_CallMethod(module, "frame_response", "sOiiO", "GET", version, 200, 0,
                                                 keep_alive ? Py_True : Py_False);
    if (framing != NULL && (announces = PyObject_GetAttrString(framing, "announces_length")) != NULL &&
        (fields = PyObject_GetAttrString(framing, "fields")) != NULL) {
        if (announces == Py_True && PyBytes_CheckExact(fields)) {
            const Part parts[] = {TEXT("\r\n"), BYTES(fields), TEXT("\r\n")};
            known[LINES + place - CLOSE] = join(parts, COUNT(parts));
        }
        else
            PyErr_SetString(PyExc_ImportError, "aioweb.protocol._encode does not know these framings");
    }
    Py_XDECREF(announces);
    Py_XDECREF(fields);
    return known[LINES + place - CLOSE] != NULL ? 0 : -1;
}

static int
learn(PyObject *module)
{
    static const char *const names[] = {"aioweb.protocol.encode", "encode_response_in_python",
                                        "encode_fields_in_python", "encode_chunk_in_python"};
    static const char *const event_names[] = {"RequestHead", "HttpVersion10"};
    static const char *const framing_names[] = {"SPECIAL_METHODS", "WITHOUT_CONTENT"};
    PyObject **known = PyModule_GetState(module);
    PyObject *events = PyImport_ImportModule("aioweb.protocol.events");
    PyObject *framing = events != NULL ? PyImport_ImportModule("aioweb.protocol.framing") : NULL;
    PyObject *multidict = framing != NULL ? PyImport_ImportModule("multidict") : NULL;
    int which, done = -1;

    if (multidict == NULL || (known[ISTR] = PyObject_GetAttrString(multidict, "istr")) == NULL)
        goto exit;
    for (which = 0; which < 4; which++)
        if ((known[MODULE + which] = PyUnicode_InternFromString(names[which])) == NULL)
            goto exit;
    for (which = 0; which < 2; which++)
        if ((known[REQUEST_HEAD + which] = PyObject_GetAttrString(events, event_names[which])) == NULL ||
            (known[SPECIAL_METHODS + which] = PyObject_GetAttrString(framing, framing_names[which])) == NULL)
            goto exit;
    if (!PyType_Check(known[REQUEST_HEAD]) ||
        !PyType_IsSubtype((PyTypeObject *)known[REQUEST_HEAD], &PyTuple_Type) ||
        !PyFrozenSet_CheckExact(known[SPECIAL_METHODS]) || !PyFrozenSet_CheckExact(known[WITHOUT_CONTENT])) {
        PyErr_SetString(PyExc_ImportError, "aioweb.protocol._encode does not know these events and framings");
        goto exit;
    }
    if (learn_framing(known, CLOSE, framing, Py_None, 0) == 0 && learn_framing(known, PERSIST, framing, Py_None, 1) == 0)
        done = learn_framing(known, PERSIST_10, framing, known[HTTP_10], 1);
exit:
    Py_XDECREF(events);
    Py_XDECREF(framing);
    Py_XDECREF(multidict);
    return done;
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

PyDoc_STRVAR(encode_response_doc,
"encode_response($module, head, status, reason, fields, content, keep_alive)\n--\n\n"
"A whole response, and how it is framed: what encode_response_in_python does, in less time.");

PyDoc_STRVAR(encode_fields_doc,
"encode_fields($module, pairs)\n--\n\n"
"The field lines of names and values: what encode_fields_in_python does, in less time.");

PyDoc_STRVAR(encode_chunk_doc,
"encode_chunk($module, data)\n--\n\n"
"`data` as one chunk: what encode_chunk_in_python does, in less time.");

static PyMethodDef functions[] = {
    {"encode_response", (PyCFunction)(void (*)(void))encode_response, METH_FASTCALL | METH_KEYWORDS,
     encode_response_doc},
    {"encode_fields", (PyCFunction)(void (*)(void))encode_fields, METH_FASTCALL | METH_KEYWORDS, encode_fields_doc},
    {"encode_chunk", (PyCFunction)(void (*)(void))encode_chunk, METH_FASTCALL | METH_KEYWORDS, encode_chunk_doc},
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
    .m_name = "aioweb.protocol._encode",
    .m_doc = "The twin in C of aioweb.protocol.encode.",
    .m_size = KNOWN * sizeof(PyObject *),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC
PyInit__encode(void)
{
    return PyModuleDef_Init(&definition);
}
