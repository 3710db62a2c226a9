module forkjoin

go 1.21
