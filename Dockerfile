# A server of one finished run: `docker build -t rnn .` after `pip wheel --no-deps -w dist .`, then
# `docker run -p 5001:5001 -v $PWD/runs/dates/lstm/1:/run:ro rnn`. `--build-arg TORCH_INDEX=URL` takes PyTorch from an index of
# builds for the CPU alone, which are much smaller. docs/serving.md has the requests.
FROM python:3.11-slim
ARG TORCH_INDEX=
RUN useradd --create-home rnn && install -d -o rnn /work
WORKDIR /build
COPY constraints.txt dist/*.whl ./
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch==$(sed -n 's/^torch==//p' constraints.txt)" \
 && pip install --no-cache-dir -c constraints.txt "$(ls ./*.whl)[pipelines]" \
 && rm ./*.whl
USER rnn
WORKDIR /work
EXPOSE 5001
HEALTHCHECK --start-period=60s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:5001/ping', timeout=5)"
ENTRYPOINT ["rnn", "serve"]
CMD ["run=/run", "host=0.0.0.0", "port=5001"]
