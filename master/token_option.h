/* token_option.h: the options of the token commands: `--name value` or `--name=value`.
 *
 * Called by token_keygen, token_mint and token_inspect. Never guesses an abbreviated name.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_OPTION_H
#define GATEHOUSE_MASTER_TOKEN_OPTION_H

#include <stdint.h>

/* What token_option_next gives besides an index of `names`. */
enum {
    TOKEN_OPTION_END = -1,
    TOKEN_OPTION_ARGUMENT = -2, /* no option: `value` is the argument; "-" is one */
    TOKEN_OPTION_HELP = -3,     /* --help or -h */
    TOKEN_OPTION_WRONG = -4,    /* stderr says why */
};

enum { TOKEN_DURATION_MAX = 10 * 366 * 24 * 3600 }; /* seconds */

struct token_options {
    const char *command;      /* "mint", for messages */
    const char *const *names; /* without dashes; NULL ends them */
    int argc;
    char **argv;
    int next;
    int only_arguments; /* after "--" */
};

int token_option_next(struct token_options *options, const char **value);

/* One sentence on stderr, begun with the command's name; gives `status` back. */
int token_option_complain(const char *command, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "30s", "10m", "2h", "1d" as seconds, 1 to TOKEN_DURATION_MAX. 0 or -EINVAL. */
int token_option_duration(const char *text, int64_t *seconds);

#endif
