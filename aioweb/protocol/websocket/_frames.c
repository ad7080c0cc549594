/* encode_frame() of frames.py in C: the same function, and nothing else.

   encode_frame(first: int, payload: bytes | str, key: bytes = b"") -> bytes

   The frame of a server: its head of RFC 6455 section 5.2, and the payload behind it, in one allocation. Text of ASCII
   and Latin-1 becomes UTF-8 where it stands in the frame, 32 ASCII characters at a time: CPython's encoder, which makes
   the octets of all other text, goes one by one as soon as a message holds a single one that is not ASCII.

   What is not plain is handed over to the reference: a key (a client masks), a first octet that no frame has, and
   whatever is neither bytes nor str. It keeps nothing between two calls. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char octet;

#define LONGEST_HEAD 10
#define HIGH 0x8080808080808080u /* the bits of a word that no ASCII character has */
#define RUN 32                   /* so many characters are looked at together */

static PyObject *
hand_over(PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *module = PyImport_ImportModule("aioweb.protocol.websocket.frames"), *reference, *result = NULL;

    if (module == NULL)
        return NULL;
    reference = PyObject_GetAttrString(module, "encode_frame_in_python");
    Py_DECREF(module);
    if (reference != NULL)
        result = PyObject_Vectorcall(reference, arguments, (size_t)count, NULL);
    Py_XDECREF(reference);
    return result;
}

static int
is_ascii(const octet *run)
{
    uint64_t words[RUN / 8];

    memcpy(words, run, RUN);
    return !((words[0] | words[1] | words[2] | words[3]) & HIGH);
}

/* The octets that these characters, of Latin-1, have in UTF-8: one more for each that is not ASCII. */
static size_t
utf8_size(const octet *text, Py_ssize_t length)
{
    const octet *end = text + length, *stop;
    size_t size = (size_t)length; /* twice as many have room in it */

    while (text < end) {
        stop = end - text < RUN ? end : text + RUN;
        if (stop - text == RUN && is_ascii(text))
            text = stop;
        while (text < stop)
            size += *text++ >> 7;
    }
    return size;
}

static void
put_utf8(const octet *text, Py_ssize_t length, octet *to)
{
    const octet *end = text + length, *stop;

    while (text < end) {
        stop = end - text < RUN ? end : text + RUN;
        if (stop - text == RUN && is_ascii(text)) {
            memcpy(to, text, RUN);
            to += RUN;
            text = stop;
        }
        for (; text < stop; text++)
            if (*text < 0x80)
                *to++ = *text;
            else {
                *to++ = (octet)(0xC0 | *text >> 6);
                *to++ = (octet)(0x80 | (*text & 0x3F));
            }
    }
}

/* The head of a frame with so long a payload, in the shortest form. Returns its own length. */
static Py_ssize_t
put_head(octet *head, octet first, uint64_t size)
{
    Py_ssize_t octets = size < 126 ? 0 : size < 65536 ? 2 : 8, at;

    head[0] = first;
    head[1] = octets == 0 ? (octet)size : octets == 2 ? 126 : 127;
    for (at = 0; at < octets; at++)
        head[2 + at] = (octet)(size >> 8 * (octets - 1 - at));
    return 2 + octets;
}

/* A frame begins with this octet: 0x30 are bits without a meaning, 0x40 is compression. */
static int
is_first(long first)
{
    long opcode = first & 0x0F;

    return first >= 0 && first <= 0xFF && !(first & 0x30) && (opcode <= 2 || (opcode >= 8 && opcode <= 10));
}

static PyObject *
encode_frame(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    octet head[LONGEST_HEAD];
    PyObject *payload, *octets = NULL, *frame;
    Py_ssize_t head_size, length;
    size_t size;
    const char *content;
    int latin = 0;
    long first;

    if (count < 2 || count > 3 || !PyLong_CheckExact(arguments[0]) ||
        (count == 3 && !(PyBytes_CheckExact(arguments[2]) && PyBytes_GET_SIZE(arguments[2]) == 0)))
        return hand_over(arguments, count);
    first = PyLong_AsLong(arguments[0]);
    if (!is_first(first)) {
        PyErr_Clear(); /* a number may be too large */
        return hand_over(arguments, count);
    }
    payload = arguments[1];
    if (PyUnicode_CheckExact(payload) && PyUnicode_IS_READY(payload)) {
        if (PyUnicode_KIND(payload) != PyUnicode_1BYTE_KIND)
            payload = octets = PyUnicode_AsUTF8String(payload);
    } else if (!PyBytes_CheckExact(payload))
        return hand_over(arguments, count);
    if (payload == NULL)
        return NULL; /* lone surrogates */
    if (PyBytes_CheckExact(payload)) {
        content = PyBytes_AS_STRING(payload);
        length = PyBytes_GET_SIZE(payload);
        size = (size_t)length;
    } else {
        content = PyUnicode_DATA(payload);
        length = PyUnicode_GET_LENGTH(payload);
        latin = !PyUnicode_IS_ASCII(payload);
        size = latin ? utf8_size((const octet *)content, length) : (size_t)length;
    }
    frame = NULL;
    if (size > PY_SSIZE_T_MAX - LONGEST_HEAD)
        PyErr_NoMemory();
    else {
        head_size = put_head(head, (octet)first, (uint64_t)size);
        frame = PyBytes_FromStringAndSize(NULL, head_size + (Py_ssize_t)size);
    }
    if (frame != NULL) {
        memcpy(PyBytes_AS_STRING(frame), head, (size_t)head_size);
        if (latin)
            put_utf8((const octet *)content, length, (octet *)PyBytes_AS_STRING(frame) + head_size);
        else
            memcpy(PyBytes_AS_STRING(frame) + head_size, content, size);
    }
    Py_XDECREF(octets);
    return frame;
}

PyDoc_STRVAR(encode_frame_doc,
"encode_frame(first, payload, key=b'', /)\n--\n\n"
"A frame as octets: what encode_frame_in_python does, in less time.");

static PyMethodDef functions[] = {
    {"encode_frame", (PyCFunction)(void (*)(void))encode_frame, METH_FASTCALL, encode_frame_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
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
    .m_name = "aioweb.protocol.websocket._frames",
    .m_doc = "The twin in C of aioweb.protocol.websocket.frames.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__frames(void)
{
    return PyModuleDef_Init(&definition);
}
