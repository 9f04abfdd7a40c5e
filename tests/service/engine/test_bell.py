import threading

from service.engine.bell import Bell


def test_a_ring_before_the_wait_is_heard_once() -> None:
    bell, heard = Bell(), threading.Event()
    bell.ring()
    bell.ring()
    bell.wait()

    def listen() -> None:
        bell.wait()
        heard.set()

    threading.Thread(target=listen, daemon=True).start()
    assert not heard.wait(0.05)
    bell.ring()
    assert heard.wait(5)


def test_many_ringers_never_lose_the_last_ring() -> None:
    bell, left = Bell(), [2000]
    lock, done = threading.Lock(), threading.Event()

    def count_down() -> None:
        for _ in range(500):
            with lock:
                left[0] -= 1
            bell.ring()

    def wait_for_all() -> None:
        while left[0]:
            bell.wait()
        done.set()

    threading.Thread(target=wait_for_all, daemon=True).start()
    for _ in range(4):
        threading.Thread(target=count_down).start()
    assert done.wait(10)
