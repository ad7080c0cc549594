"""Run the blocks of one page in one namespace. Started by test_snippets.py in a process of its own.

    python -W error run_page.py < blocks.json        blocks: [{"kind", "text", "line", "file", "port"}]

A Python block runs as if its page were a script: it is `__main__`, errors name the line of the page, and `await` is
allowed at the top level, on one event loop for the whole page. Calls of `web.run_app` are left out, but for a block
that has a port: there the call stays and serves on that port. Anything that nobody could raise fails as well: an
exception in a destructor, an awaitable that was never awaited.
"""

import ast
import asyncio
import doctest
import gc
import inspect
import json
import signal
import sys
import types

TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def is_run_app(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"web.run_app", "run_app"}


class WithoutServing(ast.NodeTransformer):
    """Takes the statements out that would serve for ever."""

    def visit_Expr(self, node):
        return ast.Pass() if is_run_app(node.value) else self.generic_visit(node)


class ServingOn(ast.NodeTransformer):
    """Gives `port=` of run_app another value: a snippet says 8080, a test needs a port that is free."""

    def __init__(self, port):
        self.port = port

    def visit_Call(self, node):
        self.generic_visit(node)
        if not is_run_app(node):
            return node
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if given.keys() & {None, "path", "sock"} or not isinstance(given.get("port", ast.Constant(0)), ast.Constant):
            sys.exit(f"line {node.lineno}: the port of run_app is not a literal; say `<!-- no-run: reason -->`")
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in {"host", "port"}]
        node.keywords += [
            ast.keyword("host", ast.Constant("127.0.0.1")),
            ast.keyword("port", ast.Constant(self.port)),
        ]
        return node


def run_python(block, namespace, loop):
    tree = ast.parse("\n" * (block["line"] - 1) + block["text"], block["file"])
    tree = ServingOn(block["port"]).visit(tree) if block["port"] else WithoutServing().visit(tree)
    code = compile(ast.fix_missing_locations(tree), block["file"], "exec", flags=TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        loop.run_until_complete(types.FunctionType(code, namespace)())
    else:
        exec(code, namespace)


def run_doctest(block, namespace):
    test = doctest.DocTestParser().get_doctest(
        block["text"], namespace, block["file"], block["file"], block["line"] - 1
    )
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    runner.run(test, out=sys.stderr.write, clear_globs=False)
    namespace.update(test.globs)
    if runner.failures:
        sys.exit(f"{block['file']}:{block['line']}: the session prints something else")


def main():
    # A shell that starts the tests in the background has SIGINT ignored, by all that they start: Python leaves it so,
    # and Ctrl-C is how a page that serves is stopped.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unraisable = []
    sys.unraisablehook = lambda hook: unraisable.append(f"{type(hook.exc_value).__name__}: {hook.exc_value}")
    blocks = json.load(sys.stdin)
    page = types.ModuleType("__main__")
    sys.modules["__main__"] = page
    # A page whose last block serves needs the thread's loop for itself: run_app makes its own.
    loop = asyncio.new_event_loop()
    try:
        for block in blocks:
            if block["kind"] == "pycon":
                run_doctest(block, page.__dict__)
            else:
                run_python(block, page.__dict__, loop)
    finally:
        loop.close()
    page.__dict__.clear()
    gc.collect()
    if unraisable:
        sys.exit("\n".join(unraisable))


if __name__ == "__main__":
    main()
