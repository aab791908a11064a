module github.com/assenso/assenso/scripts

go 1.26
