#include "master/backoff.h"

#include "shared/child.h"

#include <sys/wait.h>

enum { RING = BACKOFF_DEATHS_MAX + 1 };

void backoff_ready(struct backoff *backoff, int64_t now)
{
    backoff->proven = true;
    backoff->ready = true;
    backoff->early = false;
    backoff->ready_since = now;
}

/* Whether this is at least the eleventh death within the window. */
static bool backoff_record(struct backoff *backoff, int64_t now)
{
    int64_t oldest;

    backoff->deaths[backoff->death_count % RING] = now;
    backoff->death_count++;
    if (backoff->death_count < RING)
        return false;
    oldest = backoff->deaths[backoff->death_count % RING];
    return now - oldest <= BACKOFF_WINDOW;
}

static int64_t backoff_wait(struct backoff *backoff)
{
    backoff->wait = backoff->wait == 0 ? BACKOFF_FIRST : backoff->wait * 2;
    if (backoff->wait > BACKOFF_LAST)
        backoff->wait = BACKOFF_LAST;
    return backoff->wait;
}

int64_t backoff_death(struct backoff *backoff, int status, int64_t now)
{
    bool was_ready = backoff->ready;
    bool again = backoff->early;
    bool crowded = backoff_record(backoff, now);

    backoff->ready = false;
    backoff->early = !was_ready;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SETTINGS)
        return BACKOFF_NEVER;
    if (was_ready && now - backoff->ready_since >= BACKOFF_CALM)
        backoff->wait = 0;
    if (crowded || (!was_ready && (again || !backoff->proven)))
        return backoff_wait(backoff);
    return BACKOFF_NOW;
}
