/* mask() of mask.py in C: the same function, and nothing else.

   mask(keyed: bytes | bytearray, start: int = 0, end: int | None = None) -> bytes

   The first four octets of `keyed[start:end]` are the masking key of RFC 6455 section 5.3; what is returned are the
   octets behind them, each exclusive-or'ed with its octet of the key. `keyed` is left as it is. Less than four octets
   are no key and have nothing behind them: empty bytes. Whatever is not bytes or bytearray is a TypeError.

   It keeps nothing between two calls, so it serves any number of threads and interpreters. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define KEY 4

/* Eight octets at a time. memcpy is how C reads and writes a word at any address; compilers make one move of it, and
   vectors of the loop. The key repeats every four octets, so its place in a word is the same on every machine. */
static void
apply(const char *key, const char *from, char *to, Py_ssize_t size)
{
    uint64_t keys, word;
    Py_ssize_t at = 0;

    memcpy(&keys, key, KEY);
    memcpy((char *)&keys + KEY, key, KEY);
    for (; size - at >= (Py_ssize_t)sizeof word; at += (Py_ssize_t)sizeof word) {
        memcpy(&word, from + at, sizeof word);
        word ^= keys;
        memcpy(to + at, &word, sizeof word);
    }
    for (; at < size; at++)
        to[at] = (char)(from[at] ^ key[at % KEY]);
}

static PyObject *
mask(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Py_ssize_t start = 0, end = PY_SSIZE_T_MAX, size;
    Py_buffer view; /* holds a bytearray in its place until it is released */
    PyObject *masked;
    const char *key;

    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "mask() takes 1 to 3 arguments, not %zd", count);
        return NULL;
    }
    if (!PyBytes_Check(arguments[0]) && !PyByteArray_Check(arguments[0])) {
        PyErr_Format(PyExc_TypeError, "mask() takes bytes or bytearray, not %.200s", Py_TYPE(arguments[0])->tp_name);
        return NULL;
    }
    if (count > 1 && (start = PyNumber_AsSsize_t(arguments[1], NULL)) == -1 && PyErr_Occurred())
        return NULL; /* a number that is too large is cut, as in a slice */
    if (count > 2 && arguments[2] != Py_None && (end = PyNumber_AsSsize_t(arguments[2], NULL)) == -1 &&
        PyErr_Occurred())
        return NULL;
    if (PyObject_GetBuffer(arguments[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    size = PySlice_AdjustIndices(view.len, &start, &end, 1) - KEY;
    masked = PyBytes_FromStringAndSize(NULL, size > 0 ? size : 0);
    if (masked != NULL && size > 0) {
        key = (const char *)view.buf + start;
        apply(key, key + KEY, PyBytes_AS_STRING(masked), size);
    }
    PyBuffer_Release(&view);
    return masked;
}

PyDoc_STRVAR(mask_doc,
"mask(keyed, start=0, end=None, /)\n--\n\n"
"Apply the masking key in the first four octets of `keyed[start:end]` to the others, and return those.\n\n"
"The same undoes it.");

static PyMethodDef functions[] = {
    {"mask", (PyCFunction)(void (*)(void))mask, METH_FASTCALL, mask_doc},
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
    .m_name = "aioweb.protocol.websocket._mask",
    .m_doc = "The twin in C of aioweb.protocol.websocket.mask.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__mask(void)
{
    return PyModuleDef_Init(&definition);
}
