module github.com/assenso/assenso/events/client

go 1.26
