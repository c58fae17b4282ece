#include "worker/connect_options.h"

#include "worker/http_field.h"

#include <errno.h>

/* An option with a value, and where that goes. */
struct option_place {
    const char *name;
    const char **value;
};

/* What the bridge says itself; a second word on it would be ambiguous, or a secret in argv. */
static bool option_header_is_ours(struct slice name)
{
    static const char *const ours[] = {
        "accept",     "authorization",     "connection",   "content-encoding",
        "cookie",     "content-length",    "content-type", "expect",
        "host",       "last-event-id",     "te",           "proxy-authorization",
        "keep-alive", "transfer-encoding", "trailer",      "upgrade",
    };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (slice_equal_nocase(name, slice_from(ours[i])))
            return true;
    return name.size >= 4 && strncasecmp(name.data, "mcp-", 4) == 0;
}

static const char *option_header(const char *text)
{
    const char *colon = strchr(text, ':');
    struct slice name = slice_make(text, colon == NULL ? 0 : (size_t)(colon - text));

    if (colon == NULL || !http_is_token(name) ||
        !http_is_field_value(http_trim(slice_from(colon + 1))))
        return "a header is 'Name: value'";
    if (slice_equal_nocase(name, slice_from("authorization")))
        return "a token on a command line is seen by everyone; use --token-file, --token-command "
               "or --token-env";
    if (option_header_is_ours(name))
        return "this header is not to be set by hand";
    return NULL;
}

static const char *option_url(struct connect_options *options)
{
    const char *reason;

    if (options->url == NULL)
        return "no URL was given";
    if (uri_parse(slice_from(options->url), &options->uri, &reason) != 0)
        return reason;
    if (!slice_equal_nocase(options->uri.scheme, slice_from("http")) &&
        !slice_equal_nocase(options->uri.scheme, slice_from("https")))
        return "the URL begins with https:// (or, on loopback, http://)";
    if (!options->uri.tls && !uri_is_loopback(&options->uri) && !options->insecure)
        return "plain http shows the token to the network; use https, or say --insecure";
    return NULL;
}

/* What only all options together show. */
static const char *option_judge(struct connect_options *options, const char **about)
{
    int tokens = (options->token_file != NULL) + (options->token_command != NULL) +
                 (options->token_env != NULL);
    const char *reason = option_url(options);

    *about = options->url;
    if (reason != NULL)
        return reason;
    *about = NULL;
    if (tokens > 1)
        return "one of --token-file, --token-command and --token-env is enough";
    if ((options->client_cert == NULL) != (options->client_key == NULL))
        return "--client-cert and --client-key go together";
    if (!options->uri.tls && (options->client_cert != NULL || options->ca != NULL))
        return "--client-cert and --ca need an https URL";
    return NULL;
}

static const char **option_find(const struct option_place *places, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(places[i].name, name) == 0)
            return places[i].value;
    return NULL;
}

static const char *option_add_header(struct connect_options *options, const char *text)
{
    const char *reason = option_header(text);

    if (reason != NULL)
        return reason;
    if (options->header_count == CONNECT_HEADERS_MAX)
        return "too many headers";
    options->headers[options->header_count++] = text;
    return NULL;
}

int connect_options_read(struct connect_options *out, int argc, char **argv, bool config,
                         const char **reason, const char **about)
{
    const struct option_place places[] = {
        {"--token-file", &out->token_file}, {"--token-command", &out->token_command},
        {"--token-env", &out->token_env},   {"--client-cert", &out->client_cert},
        {"--client-key", &out->client_key}, {"--ca", &out->ca},
        {"--client", &out->client},         {"--name", &out->name},
    };
    size_t count = sizeof(places) / sizeof(places[0]) - (config ? 0 : 2);

    *out = (struct connect_options){0};
    *reason = NULL;
    for (int i = 1; i < argc && *reason == NULL; i++) {
        const char **place = option_find(places, count, argv[i]);
        bool header = strcmp(argv[i], "-H") == 0;

        *about = argv[i];
        if (strcmp(argv[i], "--insecure") == 0)
            out->insecure = true;
        else if ((place != NULL || header) && i + 1 == argc)
            *reason = "a value is missing";
        else if (header)
            *reason = option_add_header(out, argv[++i]);
        else if (place != NULL && *place != NULL)
            *reason = "it was given twice";
        else if (place != NULL)
            *place = argv[++i];
        else if (argv[i][0] == '-')
            *reason = "no such option";
        else if (out->url != NULL)
            *reason = "one URL is enough";
        else
            out->url = argv[i];
    }
    if (*reason == NULL)
        *reason = option_judge(out, about);
    return *reason == NULL ? 0 : -EINVAL;
}
