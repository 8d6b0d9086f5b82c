/* Lets a call fail by which a process changes files in one folder. For tests, by LD_PRELOAD; Linux with glibc.
 *
 * FAULT_FOLDER  the folder, as an absolute path without links; calls on other files are not counted
 * FAULT_AT      the call that fails, counted from 1; with 0, none does
 * FAULT_ERRNO   what it fails with; with 0 it does not fail
 * FAULT_HALF    1: if it is a write, only half is written, and it does not fail
 * FAULT_STAYS   1: those after it fail as well, with ENOSPC if FAULT_ERRNO is 0
 * FAULT_LOG     a file that gets a line for each call that is counted: its name and the path in the folder
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum verdict { PASS, HALF, FAIL };

/* The C library's own. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int number(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static void path_of_descriptor(int descriptor, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, descriptor == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", descriptor);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    path[len < 0 ? 0 : len] = 0;
}

/* What becomes of a call on `path`, from the folder `descriptor`; or on the file `descriptor`, if there is no path. */
static enum verdict judge(const char *name, int descriptor, const char *path)
{
    static atomic_int calls;
    const char *folder = getenv("FAULT_FOLDER");
    char full[2 * PATH_MAX] = "";
    if (path == NULL || path[0] != '/')
        path_of_descriptor(descriptor, full);
    if (path != NULL) {
        size_t len = strlen(full);
        snprintf(full + len, sizeof full - len, path[0] == '/' ? "%s" : "/%s", path);
    }
    size_t len = folder ? strlen(folder) : 0;
    if (len == 0 || strncmp(full, folder, len) != 0 || (full[len] != '/' && full[len] != 0))
        return PASS;
    int call = atomic_fetch_add(&calls, 1) + 1;
    if (getenv("FAULT_LOG")) {
        int log = REAL(open)(getenv("FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0666);
        dprintf(log, "%s %s\n", name, full + len + (full[len] == '/'));
        close(log);
    }
    int at = number("FAULT_AT"), error = number("FAULT_ERRNO"), stays = number("FAULT_STAYS");
    if (at == 0 || call < at || (call > at && !stays))
        return PASS;
    if (call == at && number("FAULT_HALF"))
        return HALF;
    if (error == 0 && !stays)
        return PASS;
    errno = error ? error : ENOSPC;
    return FAIL;
}

static int mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, int) : 0;
}

#define OPENS(flags) ((flags) & O_CREAT ? "create" : "open")
#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        int mode = mode_of(flags, rest);                                                                               \
        va_end(rest);                                                                                                  \
        return judge(OPENS(flags), AT_FDCWD, path) == FAIL ? -1 : REAL(name)(path, flags, mode);                             \
    }
#define OPEN_AT(name)                                                                                                  \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        int mode = mode_of(flags, rest);                                                                               \
        va_end(rest);                                                                                                  \
        return judge(OPENS(flags), folder, path) == FAIL ? -1 : REAL(name)(folder, path, flags, mode);                       \
    }
#define CALL(name, parameters, judged, arguments)                                                                      \
    int name parameters { return judge judged == FAIL ? -1 : REAL(name) arguments; }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
CALL(fsync, (int file), ("fsync", file, NULL), (file))
CALL(fdatasync, (int file), ("fsync", file, NULL), (file))
CALL(ftruncate, (int file, off_t len), ("truncate", file, NULL), (file, len))
CALL(ftruncate64, (int file, off64_t len), ("truncate", file, NULL), (file, len))
CALL(fchmod, (int file, mode_t mode), ("chmod", file, NULL), (file, mode))
CALL(mkdir, (const char *path, mode_t mode), ("mkdir", AT_FDCWD, path), (path, mode))
CALL(unlink, (const char *path), ("unlink", AT_FDCWD, path), (path))
CALL(unlinkat, (int at, const char *path, int flags), ("unlink", at, path), (at, path, flags))
/* Of two names, the new one counts. */
CALL(rename, (const char *old, const char *new), ("rename", AT_FDCWD, new), (old, new))
CALL(renameat, (int a, const char *old, int b, const char *new), ("rename", b, new), (a, old, b, new))
CALL(link, (const char *old, const char *new), ("link", AT_FDCWD, new), (old, new))
CALL(linkat, (int a, const char *old, int b, const char *new, int flags), ("link", b, new), (a, old, b, new, flags))

ssize_t write(int file, const void *bytes, size_t count)
{
    enum verdict verdict = judge("write", file, NULL);
    return verdict == FAIL ? -1 : REAL(write)(file, bytes, verdict == HALF ? (count + 1) / 2 : count);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return judge("write", file, NULL) == FAIL ? -1 : REAL(writev)(file, parts, count);
}
