# gnuplot 5
# set terminal and output before: gnuplot -e "set terminal pdfcairo noenhanced; set output 'figure.pdf'" FILE
set encoding utf8
set title 'it''s a sweep' noenhanced
set xlabel 'time per run (s)' noenhanced
set ylabel 'total energy (J)' noenhanced
set grid ytics linetype 1 linecolor rgb '#dddddd'
set border 3
set tics nomirror out
set key outside bottom center horizontal
set yrange [0:*]
set offsets graph 0.03, graph 0.03, 0, 0
# 'total energy (simulated)'
$series0 << EOD
1 40.4 33.90744871351686 46.89255128648314
1 161.6 135.62979485406743 187.57020514593256
EOD
plot $series0 using 1:2 with lines linecolor rgb '#0072B2' notitle, \
     $series0 using 1:2:3:4 with yerrorbars linecolor rgb '#0072B2' pointtype 5 title 'total energy (simulated)' noenhanced
