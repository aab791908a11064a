module github.com/assenso/assenso/schemas

go 1.26
