/* Faults for a process and its children, by LD_PRELOAD: the Nth change below a folder fails with an errno of
 * choice; a worker that opens a file of a certain name kills itself; the clock is shifted.
 *
 *   FAULT_STATE   a file of struct state, shared by all processes; counts and can be armed while they run
 *   FAULT_BELOW   the folder whose changes are counted, an absolute path
 *   FAULT_KILL    processes that Dask spawned as workers die on opening a path that contains this text
 *   FAULT_CLOCK   seconds that are added to the clock of the day
 *
 * Build: cc -shared -fPIC -O2 -o faults.so faults.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct state {
    int64_t count; /* changes so far */
    int64_t nth;   /* the one that fails, from 1; 0: none */
    int64_t error; /* its errno */
    int64_t stays; /* whether all later ones fail too, as on a full disk */
};

static struct state *shared;
static const char *below, *kill_on;
static size_t below_length;
static int is_worker;
static long clock_shift_s;

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("FAULT_STATE"), *shift = getenv("FAULT_CLOCK");
    below = getenv("FAULT_BELOW");
    below_length = below ? strlen(below) : 0;
    kill_on = getenv("FAULT_KILL");
    clock_shift_s = shift ? atol(shift) : 0;
    if (file && below) {
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
        int fd = real(file, O_RDWR);
        if (fd >= 0) {
            void *at = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            shared = at == MAP_FAILED ? NULL : at;
            close(fd);
        }
    }
    if (kill_on) {
        char line[4096] = {0};
        FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
        FILE *mine = real("/proc/self/cmdline", "r");
        size_t length = mine ? fread(line, 1, sizeof line - 1, mine) : 0;
        if (mine)
            fclose(mine);
        for (size_t i = 0; i < length; i++)
            if (!line[i])
                line[i] = ' ';
        is_worker = strstr(line, "spawn_main") != NULL;
    }
}

/* 1 if this change must fail; errno is set */
static int fails(const char *path)
{
    if (!shared || !path || strncmp(path, below, below_length) != 0)
        return 0;
    int64_t mine = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (shared->nth == 0 || (shared->stays ? mine < shared->nth : mine != shared->nth))
        return 0;
    errno = (int)shared->error;
    return 1;
}

static int fails_at(int dirfd, const char *path)
{
    return (path && path[0] == '/') || dirfd == AT_FDCWD ? fails(path) : 0;
}

static int fails_fd(int fd)
{
    char link[64], path[PATH_MAX];
    if (!shared)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return fails(path);
}

/* a full disk still lets go of files */
static int refuses_removal(void)
{
    return shared && shared->error != ENOSPC && shared->error != EDQUOT;
}

static void maybe_die(const char *path)
{
    if (kill_on && is_worker && path && strstr(path, kill_on))
        kill(getpid(), SIGKILL);
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = dlsym(RTLD_NEXT, #name)
#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC))

#define OPEN(name)                                                                                             \
    int name(const char *path, int flags, ...)                                                                 \
    {                                                                                                          \
        va_list rest;                                                                                          \
        va_start(rest, flags);                                                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                \
        va_end(rest);                                                                                          \
        maybe_die(path);                                                                                       \
        if (CHANGES(flags) && fails(path))                                                                     \
            return -1;                                                                                         \
        REAL(int, name, const char *, int, ...);                                                               \
        return real(path, flags, mode);                                                                        \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                           \
    int name(int dirfd, const char *path, int flags, ...)                                                      \
    {                                                                                                          \
        va_list rest;                                                                                          \
        va_start(rest, flags);                                                                                 \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                \
        va_end(rest);                                                                                          \
        maybe_die(path);                                                                                       \
        if (CHANGES(flags) && fails_at(dirfd, path))                                                           \
            return -1;                                                                                         \
        REAL(int, name, int, const char *, int, ...);                                                          \
        return real(dirfd, path, flags, mode);                                                                 \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                                            \
    FILE *name(const char *path, const char *mode)                                                             \
    {                                                                                                          \
        maybe_die(path);                                                                                       \
        if (mode[0] != 'r' && fails(path))                                                                     \
            return NULL;                                                                                       \
        REAL(FILE *, name, const char *, const char *);                                                        \
        return real(path, mode);                                                                               \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t size)
{
    if (fails_fd(fd))
        return -1;
    REAL(ssize_t, write, int, const void *, size_t);
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    if (fails_fd(fd))
        return -1;
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    if (fails_fd(fd))
        return -1;
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return real(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fails_fd(fd))
        return -1;
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return real(fd, parts, count);
}

#define ON_FD(name)                                                                                            \
    int name(int fd)                                                                                           \
    {                                                                                                          \
        if (fails_fd(fd))                                                                                      \
            return -1;                                                                                         \
        REAL(int, name, int);                                                                                  \
        return real(fd);                                                                                       \
    }
ON_FD(fsync)
ON_FD(fdatasync)

int rename(const char *from, const char *to)
{
    if (fails(to))
        return -1;
    REAL(int, rename, const char *, const char *);
    return real(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    if (fails(path))
        return -1;
    REAL(int, mkdir, const char *, mode_t);
    return real(path, mode);
}

int unlink(const char *path)
{
    if (refuses_removal() && fails(path))
        return -1;
    REAL(int, unlink, const char *);
    return real(path);
}

int rmdir(const char *path)
{
    if (refuses_removal() && fails(path))
        return -1;
    REAL(int, rmdir, const char *);
    return real(path);
}

/* rmtree names its files relative to an open folder */
int unlinkat(int dirfd, const char *path, int flags)
{
    if (refuses_removal() && (path[0] == '/' || dirfd == AT_FDCWD ? fails(path) : fails_fd(dirfd)))
        return -1;
    REAL(int, unlinkat, int, const char *, int);
    return real(dirfd, path, flags);
}

/* ---- the clock of the day; monotonic clocks stay */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += clock_shift_s;
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    REAL(int, gettimeofday, struct timeval *, void *);
    int result = real(now, zone);
    if (result == 0)
        now->tv_sec += clock_shift_s;
    return result;
}

time_t time(time_t *at)
{
    REAL(time_t, time, time_t *);
    time_t now = real(NULL) + clock_shift_s;
    if (at)
        *at = now;
    return now;
}
