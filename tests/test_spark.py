"""Forecasts on Spark, and scores by MLflow's own evaluation, as docs/serving.md has them, in processes of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PREPARED = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from lstmzoo import BaselineForecaster
from lstmzoo.datasets import generate_seasonal
from lstmzoo.mlflow import save_model

sales = generate_seasonal(n_series=5, length=60, freq="D", season_length=7, random_state=0)
forecaster = BaselineForecaster("seasonal_naive", horizon=14, quantiles=[0.1, 0.9]).fit(sales)
save_model(forecaster, "mlflow-model")
"""
CHECKED = """
import pandas as pd
expected = forecaster.predict(horizon=7).astype({"unique_id": str})
found = forecasts.toPandas().sort_values(["unique_id", "ds"], ignore_index=True)
pd.testing.assert_frame_equal(found, expected, check_dtype=False)
assert len(found) == 5 * 7

from lstmzoo import BaselineTranslator
translator = BaselineTranslator("copy").fit(["one", "two"], ["eins", "zwei"])
save_model(translator, "translator")
translate = mlflow.pyfunc.spark_udf(spark, Path("translator").absolute().as_uri(), "string", env_manager="local")
lines = spark.createDataFrame(pd.DataFrame({"text": ["a dog", "a cat", "a fox"]}))
assert [row.out for row in lines.withColumn("out", translate("text")).collect()] == ["a dog", "a cat", "a fox"]
spark.stop()
print("equal")
"""


def recipe(mark):
    """The block of docs/serving.md that is marked so."""
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"<!-- needs: {mark} -->\n+```python\n(.*?)```", page, re.S)
    return code


def run(code, folder):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # starts faster, runs slower
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def java_version():
    """The major version of the Java that Spark would start; 0 if there is none."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return 0
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'version "(\d+)', said.stderr + said.stdout)
    return int(found[1]) if found else 0


def test_java_before_17_is_told_apart(tmp_path, monkeypatch):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_version() == 0
    for said, version in [('openjdk version "11.0.2" 2019-01-15', 11), ('java version "1.8.0_392"', 1)]:
        java.write_text(f"#!/bin/sh\necho '{said}' >&2\n", encoding="utf-8")
        java.chmod(0o755)
        assert java_version() == version


@pytest.mark.skipif(java_version() < 17, reason="Spark needs Java 17 or newer, which is not here")
def test_forecasts_on_spark_equal_those_without(tmp_path):
    pytest.importorskip("pyspark", reason="Spark needs pyspark: pip install lstmzoo[spark]")
    result = run(PREPARED + recipe("spark") + CHECKED, tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines()[-1] == "equal"
