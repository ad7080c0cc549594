"""`app.shield()`: work that must end, though its client goes, its handler is cancelled, or the server stops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from aioweb import web
from tests.conftest import PATIENCE, Serve

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Shop:
    """An application whose handler pays: `paid` fills when a payment has ended."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.handler_ended = asyncio.Event()
        self.paid: list[str] = []
        self.app = web.Application()
        self.app.router.add_get("/", self.buy)

    async def buy(self, request: web.Request) -> web.Response:
        try:
            return web.Response(text=await request.app.shield(self.pay(), name="payment"))
        finally:
            self.handler_ended.set()

    async def pay(self) -> str:
        self.begun.set()
        await self.may_end.wait()
        self.paid.append("order")
        return "paid"


async def test_it_gives_what_the_work_gives(serve: Serve) -> None:
    shop = Shop()
    shop.may_end.set()
    assert (await (await serve(shop.app)).request("GET", "/")).body == b"paid"


async def test_work_ends_although_its_client_goes(serve: Serve) -> None:
    shop = Shop()
    address = await serve(shop.app, client_gone="cancel")
    peer = await address.connect()
    await peer.send(GET)
    await shop.begun.wait()
    peer.abort()
    await asyncio.wait_for(shop.handler_ended.wait(), PATIENCE)
    assert shop.paid == []
    shop.may_end.set()
    await shop.app.finish_work(PATIENCE)
    assert shop.paid == ["order"]


async def stop_while_paying(shop: Shop, timeout: float, **options: Any) -> tuple[web.AppRunner, asyncio.Task[None]]:
    """A runner that stops while a payment is under way whose handler was cancelled."""
    runner = web.AppRunner(shop.app, shutdown_timeout=timeout, client_gone="cancel", **options)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    await shop.begun.wait()
    writer.transport.abort()
    await asyncio.wait_for(shop.handler_ended.wait(), PATIENCE)
    return runner, asyncio.create_task(runner.cleanup())


async def test_a_stop_waits_for_work_before_anything_is_cleaned_up() -> None:
    shop = Shop()
    below = Shop()
    shop.app.add_subapp("/below", below.app)

    async def database(app: web.Application) -> Any:
        yield
        shop.paid.append("closed")

    shop.app.cleanup_ctx.append(database)
    # The background is cancelled at once; work is not.
    shop.app.limits = web.Limits(lingering_time=0.01)
    _, stopping = await stop_while_paying(shop, 60.0)
    deeper = asyncio.ensure_future(below.app.shield(below.pay()))
    asyncio.get_running_loop().call_later(0.2, shop.may_end.set)
    asyncio.get_running_loop().call_later(0.2, below.may_end.set)
    await asyncio.wait_for(stopping, PATIENCE)
    assert shop.paid == ["order", "closed"]
    assert await deeper == "paid"


async def test_work_that_does_not_end_is_cancelled_with_the_shutdown_timeout(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    _, stopping = await stop_while_paying(shop, 0.3)
    begun = asyncio.get_running_loop().time()
    await asyncio.wait_for(stopping, PATIENCE)
    assert asyncio.get_running_loop().time() - begun > 0.2
    assert shop.paid == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_handler_that_waits_for_its_work_is_cancelled_at_the_stop_and_the_work_is_not() -> None:
    shop = Shop()
    runner = web.AppRunner(shop.app, shutdown_timeout=0.8)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(GET)
    await shop.begun.wait()
    stopping = asyncio.create_task(runner.cleanup())
    await asyncio.wait_for(shop.handler_ended.wait(), PATIENCE)
    assert shop.paid == []
    shop.may_end.set()
    await stopping
    assert shop.paid == ["order"]
    writer.close()


async def test_a_second_signal_does_not_wait_for_work() -> None:
    shop = Shop()
    shop.app.limits = web.Limits(lingering_time=0.01)
    _, stopping = await stop_while_paying(shop, 60.0)
    for _ in range(10):
        await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(stopping, PATIENCE)
    assert shop.paid == []


async def test_failed_work_whose_handler_has_gone_is_told_once(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    shop, told = Shop(), asyncio.Event()

    class Watch(web.Observer):
        def task_failed(self, task: asyncio.Task[Any], exception: BaseException) -> None:
            assert (task.get_name(), str(exception)) == ("payment", "no money")
            told.set()

    async def refuse() -> str:
        shop.begun.set()
        await shop.may_end.wait()
        raise ValueError("no money")

    shop.pay = refuse  # type: ignore[method-assign]
    address = await serve(shop.app, client_gone="cancel", observers=[Watch()])
    peer = await address.connect()
    await peer.send(GET)
    await shop.begun.wait()
    peer.abort()
    await asyncio.wait_for(shop.handler_ended.wait(), PATIENCE)
    shop.may_end.set()
    await asyncio.wait_for(told.wait(), PATIENCE)
    assert caplog.text.count("ValueError: no money") == 1
