#include "master/token_option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int token_option_complain(const char *command, int status, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "gatehouse token %s: ", command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

/* The index of the option whose name is the first `size` bytes of `name`, or -1. */
static int token_option_find(const struct token_options *options, const char *name, size_t size)
{
    for (int i = 0; options->names[i] != NULL; i++) {
        if (strlen(options->names[i]) == size && memcmp(options->names[i], name, size) == 0)
            return i;
    }
    return -1;
}

static int token_option_named(struct token_options *options, const char *name, const char **value)
{
    size_t size = strcspn(name, "=");
    int index = token_option_find(options, name, size);

    if (index < 0)
        return token_option_complain(options->command, TOKEN_OPTION_WRONG,
                                     "there is no option --%.*s; see --help", (int)size, name);
    if (name[size] == '=') {
        *value = name + size + 1;
        return index;
    }
    if (options->next == options->argc)
        return token_option_complain(options->command, TOKEN_OPTION_WRONG, "--%s needs a value",
                                     name);
    *value = options->argv[options->next++];
    return index;
}

int token_option_next(struct token_options *options, const char **value)
{
    const char *argument;

    if (options->next >= options->argc)
        return TOKEN_OPTION_END;
    argument = options->argv[options->next++];
    if (!options->only_arguments && strcmp(argument, "--") == 0) {
        options->only_arguments = true;
        return token_option_next(options, value);
    }
    if (options->only_arguments || argument[0] != '-' || argument[1] == '\0') {
        *value = argument;
        return TOKEN_OPTION_ARGUMENT;
    }
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
        return TOKEN_OPTION_HELP;
    if (strncmp(argument, "--", 2) == 0)
        return token_option_named(options, argument + 2, value);
    return token_option_complain(options->command, TOKEN_OPTION_WRONG,
                                 "there is no option %s; see --help", argument);
}

int token_option_duration(const char *text, int64_t *seconds)
{
    static const char units[] = "smhd";
    static const int64_t sizes[] = {1, 60, 3600, 24 * 3600};
    const char *unit;
    int64_t count = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || strlen(text) != digits + 1)
        return -EINVAL;
    unit = strchr(units, text[digits]);
    if (unit == NULL)
        return -EINVAL;
    for (size_t i = 0; i < digits; i++)
        count = count * 10 + (text[i] - '0');
    count *= sizes[unit - units];
    if (count < 1 || count > TOKEN_DURATION_MAX)
        return -EINVAL;
    *seconds = count;
    return 0;
}
