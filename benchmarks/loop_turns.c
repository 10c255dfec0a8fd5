/* How long each turn of a process's event loop is. Loaded with LD_PRELOAD by loop_turns.py.
 *
 * A turn is all that the main thread does from the return of one epoll_wait to the next call: every
 * callback that was due. Nobody is answered meanwhile. Of each turn of half a millisecond or more
 * three times are kept, in nanoseconds: on the clock; of the processor that the thread used; and how
 * long it was runnable but waited for a processor, which is the machine's doing and not the
 * program's (/proc/thread-self/schedstat, the second number).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEPT (1 << 16)
#define LEAST 500000

struct turn { uint64_t began, wall, cpu, waited; };
struct book { _Atomic uint64_t count; _Atomic uint64_t since; struct turn turns[KEPT]; };

static struct book *book;
static int schedstat = -1;
static pid_t owner;
static struct turn start;

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t waited(void) {
    char text[128];
    ssize_t size = pread(schedstat, text, sizeof text - 1, 0);
    if (size <= 0) return 0;
    text[size] = 0;
    char *second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) : 0;
}

static void prepare(void) {
    char path[512];
    const char *folder = getenv("LOOP_TURNS");
    owner = getpid();
    book = NULL;
    if (!folder) return;
    snprintf(path, sizeof path, "%s/%d", folder, owner);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    if (!ftruncate(file, sizeof *book)) {
        void *mapped = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED) book = mapped;
    }
    close(file);
    schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

static int ours(void) {
    if (syscall(SYS_gettid) != getpid()) return 0;
    if (owner != getpid()) prepare();
    return book != NULL;
}

static void end_turn(void) {
    if (!start.began) return;
    struct turn turn = start;
    turn.wall = now(CLOCK_MONOTONIC) - start.began;
    turn.cpu = now(CLOCK_THREAD_CPUTIME_ID) - start.cpu;
    if (turn.wall >= LEAST) {
        turn.waited = waited() - start.waited;
        book->turns[book->count % KEPT] = turn;
        book->count++;
    }
    book->since = 0;
}

static void begin_turn(void) {
    start.began = now(CLOCK_MONOTONIC);
    start.cpu = now(CLOCK_THREAD_CPUTIME_ID);
    start.waited = waited();
    book->since = start.began;
}

int epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
    static int (*real)(int, struct epoll_event *, int, int, const sigset_t *);
    if (!real) real = dlsym(RTLD_NEXT, "epoll_pwait");
    int mine = ours();
    if (mine) end_turn();
    int ready = real(epoll, events, most, timeout, mask);
    if (mine) begin_turn();
    return ready;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    return epoll_pwait(epoll, events, most, timeout, NULL);
}
