"""A static page server in a process of its own: every answer is made before the first request comes.

python benchmarks/ingest_server.py ORDERS PATIENTS LATENCY_MS    prints its port

GET /count tells, and resets, how often it was asked. Orders have three lines. What does not belong here:
anything that measures.
"""

import asyncio
import sys
from collections.abc import Iterator
from random import Random
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson

PAGE = 100
_RANDOM = Random(5)


def _id() -> str:
    return str(UUID(int=_RANDOM.getrandbits(128)))


def orders(number: int) -> Iterator[dict[str, object]]:
    """The vendor's shape, three lines each."""
    people, variants = [_id() for _ in range(2000)], [_id() for _ in range(800)]
    for place in range(number):
        moment = f"2026-{place % 12 + 1:02d}-{place % 28 + 1:02d}T{place % 24:02d}:10:06.000-04:00"
        yield {
            "id": _id(),
            "order_number": f"R{100_000_000 + place}",
            "patient_id": _RANDOM.choice(people),
            "treatment_plan_ids": [_id()],
            "completed_at": moment,
            "line_items": [
                {"variant_id": _RANDOM.choice(variants), "quantity": 1 + line, "type": "supplement"}
                for line in range(3)
            ],
            "state": "complete",
        }


def patients(number: int) -> Iterator[dict[str, object]]:
    """The vendor's shape."""
    for place in range(number):
        yield {
            "id": _id(),
            "first_name": f"First{place}",
            "last_name": f"Last{place % 997}",
            "email": f"person{place}@example.com",
            "date_of_birth": f"19{place % 90 + 10}-03-09",
            "gender": "female",
            "discount": 10,
            "total_discount": 15,
            "mobile_number": None,
            "text_message_notification": False,
            "archived": False,
            "is_dependent": False,
            "guardian_patient_id": None,
            "metadata": None,
        }


def pages_of(key: str, records: list[dict[str, object]]) -> dict[int, bytes]:
    """Page number -> the whole HTTP answer."""
    last = max(1, -(-len(records) // PAGE))
    made = {}
    for number in range(1, last + 1):
        meta = {
            "current_page": number,
            "next_page": number + 1 if number < last else None,
            "prev_page": number - 1 or None,
            "total_pages": last,
            "total_count": len(records),
        }
        made[number] = answer({key: records[(number - 1) * PAGE : number * PAGE], "meta": meta})
    return made


def answer(body: object, status: str = "200 OK") -> bytes:
    text = orjson.dumps(body)
    head = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(text)}", "x-request-id: r-1"]
    return "\r\n".join([*head, "", ""]).encode() + text


async def serve(made: dict[str, dict[int, bytes]], latency: float) -> None:
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = urlsplit(head.split(b" ", 2)[1].decode())
                if target.path == "/count":
                    writer.write(answer({"count": count}))
                    count = 0
                    continue
                count += 1
                if latency:
                    await asyncio.sleep(latency)
                number = int(parse_qs(target.query).get("page[number]", ["1"])[0])
                pages = made.get(target.path.rpartition("/")[2], {})
                writer.write(pages[number] if number in pages else answer({"error": "not found"}, "404 Not Found"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    how_many_orders, how_many_patients, milliseconds = map(int, sys.argv[1:])
    lists = {
        "orders": pages_of("orders", list(orders(how_many_orders))),
        "patients": pages_of("patients", list(patients(how_many_patients))),
    }
    asyncio.run(serve(lists, milliseconds / 1000))
