from many import Many, run

run(Many)
