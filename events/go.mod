module github.com/assenso/assenso/events

go 1.26
