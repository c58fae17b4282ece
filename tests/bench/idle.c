/* idle.c: opens event streams and holds them, silent, so that the target's memory can be read.
 *
 *     idle PORT PATH TOKEN_FILE STREAMS [tls]
 *
 * Prints "ready" once each has its first event, and closes them all when its input ends.
 */
#include "tests/bench/peer.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAMS_MAX = 20000 };

/* Writes the request and reads up to the first event. */
static void stream_begin(int fd, SSL *tls, const struct peer_request *request)
{
    char input[8192];
    size_t size = 0;

    if ((tls != NULL ? SSL_write(tls, request->text, (int)request->size)
                     : (int)write(fd, request->text, request->size)) != (int)request->size)
        peer_fail("write");
    do {
        int count = tls != NULL ? SSL_read(tls, input + size, (int)(sizeof(input) - 1 - size))
                                : (int)read(fd, input + size, sizeof(input) - 1 - size);

        if (count <= 0)
            peer_fail("the target closed a stream");
        size += (size_t)count;
        input[size] = '\0';
    } while (strstr(input, "\"sent\":") == NULL);
}

int main(int argc, char **argv)
{
    struct peer_request request;
    struct peer_tokens tokens;
    SSL_CTX *context = argc == 6 ? SSL_CTX_new(TLS_client_method()) : NULL;
    unsigned count;
    char line[2];

    if (argc < 5 || argc > 6)
        return 2;
    peer_raise_limits();
    count = peer_number(argv[4], 1, STREAMS_MAX);
    peer_tokens_read(&tokens, argv[3]);
    peer_request_stream(&request, argv[2], tokens.items[0], 0, 0);
    for (unsigned i = 0; i < count; i++) {
        int fd = peer_connect(argv[1]);
        SSL *tls = NULL;

        if (context != NULL) {
            tls = SSL_new(context);
            SSL_set_fd(tls, fd);
            if (SSL_connect(tls) != 1)
                peer_fail("TLS");
        }
        stream_begin(fd, tls, &request);
    }
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL)
        ;
    return 0;
}
