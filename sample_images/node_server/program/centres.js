"use strict";

const fs = require("node:fs");

exports.rows = (text) => text.split(/\r?\n/).filter((line) => line.trim()).map((line) => line.split(","));

exports.load = (file) => JSON.parse(fs.readFileSync(file, "utf8"));

exports.nearest = (centres, features) => {
  const distance = ({ at }) => at.reduce((sum, value, i) => sum + (value - features[i]) ** 2, 0);
  return centres.reduce((best, each) => (distance(each) < distance(best) ? each : best)).label;
};
