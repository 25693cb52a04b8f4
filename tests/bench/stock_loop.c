/*
 * stock_loop SOCKET WORKERS
 *
 * The same nothing by libfcgi's own loop, as its manual writes it, preforked
 * on one socket: the ground that the runtime's loop is measured from.
 */
#include <fcgiapp.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int
serve(int listening)
{
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, listening, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Content-Type: application/json\r\n"
		    "Content-Length: 2\r\n\r\n{}", request.out);
		FCGX_Finish_r(&request);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	int listening, workers;

	if (argc != 3 || (workers = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: stock_loop SOCKET WORKERS\n");
		return 2;
	}
	if (FCGX_Init() != 0 || (listening = FCGX_OpenSocket(argv[1], 1024)) < 0) {
		fprintf(stderr, "stock_loop: cannot listen at %s\n", argv[1]);
		return 1;
	}
	for (int i = 0; i < workers; i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(serve(listening));
		}
	}
	while (wait(NULL) > 0)
		continue;
	return 1;		/* its workers never end by themselves */
}
