#include "master/token_print.h"

#include <inttypes.h>
#include <time.h>

struct token_print {
    FILE *out;
    const char *at;
    const char *end;
    int depth;
};

static void token_print_line(const struct token_print *print)
{
    fprintf(print->out, "\n%*s", 2 + 2 * print->depth, "");
}

/* One character of a string. DEL and the C1 controls, which JSON allows, are escaped. */
static void token_print_character(struct token_print *print)
{
    unsigned char first = (unsigned char)print->at[0];
    unsigned char second = print->end - print->at > 1 ? (unsigned char)print->at[1] : 0;

    if (first == 0x7f) {
        fputs("\\u007f", print->out);
    } else if (first == 0xc2 && second >= 0x80 && second <= 0x9f) {
        fprintf(print->out, "\\u%04x", (unsigned)second);
        print->at++;
    } else {
        fputc(first, print->out);
        if (first == '\\') {
            fputc(second, print->out);
            print->at++;
        }
    }
    print->at++;
}

static void token_print_string(struct token_print *print)
{
    fputc(*print->at++, print->out);
    while (print->at < print->end && *print->at != '"')
        token_print_character(print);
    if (print->at < print->end)
        fputc(*print->at++, print->out);
}

static void token_print_skip_space(struct token_print *print)
{
    while (print->at < print->end && memchr(" \t\r\n", *print->at, 4) != NULL)
        print->at++;
}

/* An opening brace or bracket; with what closes it, when nothing is between. */
static void token_print_open(struct token_print *print)
{
    fputc(*print->at++, print->out);
    token_print_skip_space(print);
    if (print->at < print->end && (*print->at == '}' || *print->at == ']')) {
        fputc(*print->at++, print->out);
        return;
    }
    print->depth++;
    token_print_line(print);
}

void token_print_json(struct slice json, FILE *out)
{
    struct token_print print = {out, json.data, json.data + json.size, 0};

    fputs("  ", out);
    for (token_print_skip_space(&print); print.at < print.end; token_print_skip_space(&print)) {
        char byte = *print.at;

        if (byte == '"') {
            token_print_string(&print);
        } else if (byte == '{' || byte == '[') {
            token_print_open(&print);
        } else {
            if (byte == '}' || byte == ']') {
                print.depth--;
                token_print_line(&print);
            }
            fputc(byte, out);
            if (byte == ',')
                token_print_line(&print);
            else if (byte == ':')
                fputc(' ', out);
            print.at++;
        }
    }
    fputc('\n', out);
}

static void token_print_span(int64_t seconds, FILE *out)
{
    static const struct {
        const char *name;
        int64_t size;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    size_t i = 0;
    int64_t count;

    /* Two of a unit at least, so that "90 minutes" is not "1 hour". */
    while (units[i].size > 1 && seconds < 2 * units[i].size)
        i++;
    count = seconds / units[i].size;
    fprintf(out, "%" PRId64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
}

void token_print_time(int64_t time, int64_t now, FILE *out)
{
    time_t seconds = (time_t)time;
    struct tm calendar;
    char text[64];

    if (gmtime_r(&seconds, &calendar) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &calendar) == 0) {
        fputs("not a time", out);
        return;
    }
    fputs(text, out);
    fputs(time > now ? ", in " : ", ", out);
    token_print_span(time > now ? time - now : now - time, out);
    if (time <= now)
        fputs(" ago", out);
}
