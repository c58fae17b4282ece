#include "master/descendants.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel lists them in the main thread's file: none of our processes has another thread that
 * forks. Room for the pids of a read; more are seen when these are gone. */
enum { CHILDREN_SIZE = 16 * 1024 };

void descendants_signal(int number, bool (*spared)(void *context, pid_t pid), void *context)
{
    static char text[CHILDREN_SIZE];
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    char *next = text;

    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return;
    text[size] = '\0';
    /* A number that was cut is not followed by a blank. */
    while (strchr(next, ' ') != NULL) {
        long pid = strtol(next, &next, 10);

        if (pid > 1 && (spared == NULL || !spared(context, (pid_t)pid)))
            kill((pid_t)pid, number);
        next += strspn(next, " \n");
    }
}
