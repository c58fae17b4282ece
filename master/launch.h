/* launch.h: one stdio server as the launcher holds it: its guardian, and until the bridge has them,
 * its pipes. Called by the launcher alone; waits for nothing.
 */
#ifndef GATEHOUSE_MASTER_LAUNCH_H
#define GATEHOUSE_MASTER_LAUNCH_H

#include "master/enclosure.h"
#include "shared/channel.h"
#include "shared/settings.h"
#include "shared/stdio_app.h"

enum launch_state {
    LAUNCH_STARTS,
    LAUNCH_RUNS,   /* the bridge was told so */
    LAUNCH_FAILED, /* the bridge was told so; the guardian ends */
};

struct launch {
    uint64_t server;  /* the number that the bridge knows */
    uint32_t request; /* the bridge's */
    char app[SERVER_APP_MAX + 1];
    pid_t guardian;
    int channel;  /* owned; -1 after its end of file */
    int pipes[3]; /* owned; the bridge's ends of standard input, output and error; -1: passed on */
    enum launch_state state;
    bool stopping; /* the guardian was told to end it */
    bool ended;    /* `status` is the server's own */
    int status;
};

/* Whether the command may be run now: the file is regular, executable, and changed by nobody but
 * root, the launcher's user or the server's. 0 or -errno. */
int launch_check(const struct stdio_app *app);

/* Starts a guardian and tells it what to start. Fills pid, channel and pipes of *launch. 0 or
 * -errno; what fails in the guardian comes as a message. */
int launch_begin(struct launch *launch, const struct stdio_app *app,
                 const struct enclosure *enclosure, int executable);

/* Tells the guardian to end the server: SIGTERM after `term` milliseconds, SIGKILL `kill` later. */
void launch_stop(struct launch *launch, uint64_t term, uint64_t kill);

/* What is still open of it is closed: a guardian that lives then kills all and ends. */
void launch_close(struct launch *launch);

/* In words, for the log: "its working directory". */
const char *launch_stage_text(uint32_t stage);

#endif
