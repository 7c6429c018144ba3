#pragma once

/// @file
/// Style, elements and script of the page of a path. The data stand before it as JSON.

namespace cytograd::trajectory {

inline const char* const page_style = R"(
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2430;--soft:#5b6778;--line:#dde2ea;--card:#f6f8fb;--focus:#2563c9;--mark:#c43d1a;--score:#6a3d9a;--near:#2a5c8a;--rna:#b3541e}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6eaf0;--soft:#9aa6b8;--line:#2b3442;--card:#1a212c;--focus:#6ea8ff;--mark:#ff9a76;--score:#bfa0ea;--near:#7fb2dd;--rna:#f0a878}}
*{box-sizing:border-box}html{scroll-padding-top:96px}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
header,main{max-width:1160px;margin:0 auto;padding:16px 18px 4px}h1{font-size:22px;margin:0;overflow-wrap:anywhere}h2{font-size:17px;margin:0 0 10px}p{margin:2px 0 8px;color:var(--soft);font-size:13.5px}p,li{overflow-wrap:anywhere}
.bar{position:sticky;top:0;z-index:3;background:var(--bg);border-bottom:1px solid var(--line);padding:8px 18px}.bar>div{max-width:1124px;margin:0 auto;display:flex;gap:10px;align-items:center}
#t{flex:1;min-width:0;accent-color:var(--focus);margin:0;height:26px}#tv{min-width:66px;font-variant-numeric:tabular-nums;text-align:right}#stations{position:relative;height:20px;font-size:12.5px;color:var(--soft)}
#stations span{position:absolute;white-space:nowrap;max-width:48%;overflow:hidden;text-overflow:ellipsis;transform:translateX(-50%)}
nav{max-width:1124px;margin:2px auto 0;display:flex;gap:4px 14px;flex-wrap:wrap;font-size:13.5px}nav a{color:var(--focus);text-decoration:none}nav a:hover{text-decoration:underline}
section{padding:18px 0 10px}section+section{border-top:1px solid var(--line)}
select,button,input[type=search]{font:inherit;font-size:14px;color:var(--fg);background:var(--card);border:1px solid var(--line);border-radius:7px;padding:5px 9px;max-width:100%}button{cursor:pointer}:focus-visible{outline:2px solid var(--focus);outline-offset:1px}
.here{display:grid;grid-template-columns:288px 1fr;gap:22px}.here canvas{width:288px;height:288px;border-radius:10px;border:1px solid var(--line);background:#fff}
label{font-size:13.5px;color:var(--soft)}.row{display:flex;gap:8px 14px;flex-wrap:wrap;align-items:center;margin-bottom:10px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));gap:12px}.chart{background:var(--card);border:1px solid var(--line);border-radius:9px;padding:8px 8px 4px;min-width:0;position:relative}
.chart b{font-size:13.5px;overflow-wrap:anywhere}.chart small{float:right;color:var(--soft);font-variant-numeric:tabular-nums;padding-left:6px}.chart button{position:absolute;right:4px;top:4px;border:0;background:none;padding:2px 8px;color:var(--soft)}.chart .x{padding-right:26px}
.chart svg{display:block;width:100%;height:auto;margin-top:4px}.chart text{fill:var(--soft);font-size:11px}.axis{stroke:var(--soft);stroke-width:1;fill:none}.grid{stroke:var(--line);stroke-dasharray:2 3}.now{stroke:var(--mark);stroke-width:1.3}.dot{fill:var(--mark)}
.heat{position:relative}.heat canvas{width:100%;height:480px;display:block;border:1px solid var(--line);border-radius:6px;cursor:crosshair;background:#f7f7f7}.heat i{position:absolute;top:0;bottom:0;width:2px;background:#111;opacity:.75;pointer-events:none}
.key{display:inline-block;width:120px;height:11px;border:1px solid var(--line);vertical-align:-1px;margin:0 4px}.wide{overflow:auto;max-height:520px;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%;font-size:13.5px}td,th{padding:4px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}th{position:sticky;top:0;background:var(--card);font-weight:500;padding:0}th button{width:100%;border:0;background:none;text-align:inherit;white-space:nowrap;border-radius:0;font-size:13px}td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}td button{border:0;background:none;padding:0;color:var(--focus);font-style:italic}
.swatch{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px}.print img{width:100%;max-width:1080px;height:auto;background:#fff;border:1px solid var(--line);border-radius:8px}.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.out{color:var(--mark);font-weight:600}@media(max-width:720px){.here{grid-template-columns:1fr}.here canvas{width:100%;max-width:288px;height:auto}header,main{padding-left:12px;padding-right:12px}.bar{padding:6px 12px}.charts{grid-template-columns:repeat(auto-fill,minmax(160px,1fr))}.heat canvas{height:380px}}
)";

inline const char* const page_body = R"(
<div class="bar"><div><button id="play" aria-pressed="false">Play</button><input type="range" id="t" min="0" step="1" value="0" aria-label="Place on the path, t"><output id="tv" for="t"></output></div>
<div><span style="width:58px;flex:none"></span><div id="stations" style="flex:1"></div><span style="min-width:66px"></span></div>
<nav aria-label="Sections"><a href="#cell">Cell</a><a href="#genes">Genes</a><a href="#map">All genes</a><a href="#clusters">Clusters</a><a href="#drivers">Table</a><a href="#print">Figure</a></nav></div>
<main><section id="cell" aria-label="Cell"><div class="here"><div><canvas id="frame" role="img"></canvas><div class="row" id="outlinebox"><label><input type="checkbox" id="outline" checked> outline of the cell</label></div></div>
<div><div class="charts" id="support"></div><p id="supportnote">Distance to the cells as a percentile; above 99 (hatched) the path is outside the data.</p></div></div><div id="looks"><h2>Morphology of the decoded cell</h2><div class="charts" id="scores"></div></div></section>
<section id="genes"><h2>Genes</h2><div class="row"><span><label for="find">Gene symbol </label><input type="search" id="find" list="symbols" autocomplete="off"></span><button id="add">Add</button><button id="none">Remove all</button><span><label for="unit">Values </label><select id="unit"><option value="f">fold change</option><option value="e">log expression</option></select></span></div><datalist id="symbols"></datalist><p id="said" aria-live="polite"></p><div class="charts" id="lines"></div></section>
<section id="map"><h2>All genes that change</h2><p id="heatnote"></p><div class="heat" id="heatbox"><canvas id="heat" tabindex="0" role="application" aria-label="Heat map of genes over t. Up and down choose a gene, left and right move along the path, Enter adds the gene."></canvas><i id="heatmark"></i></div><p><span id="heatsaid" aria-live="polite">Point at a row to read it, click to add the gene.</span> <span style="white-space:nowrap">z-score &minus;2<canvas class="key" id="key" width="120" height="11"></canvas>2</span></p></section>
<section id="clusters"><h2>Clusters of fold changes, mean and standard deviation</h2><div class="charts" id="groups"></div></section>
<section id="drivers"><h2>Table of genes</h2><p id="drivernote"></p><div class="row"><span><label for="filter">Symbol or cluster </label><input type="search" id="filter"></span><span id="scorebox"><label for="score">Correlated with </label><select id="score"></select></span><small id="count"></small></div><div class="wide" tabindex="0" role="region" aria-label="Table of genes"><table id="table"></table></div><p><button id="more">Show more</button></p></section>
<section id="print"><h2>Figure for print</h2><p><a id="save" download="figure.svg">Save as SVG</a></p><div class="print"><img id="svg" alt="Figure of the path"></div><div id="notes"></div></section></main>
)";

inline const char* const page_script = R"(
'use strict';
const D=JSON.parse(document.getElementById('data').textContent),$=id=>document.getElementById(id),T=D.t.length,G=D.genes.length,NS='http://www.w3.org/2000/svg';
const ok=v=>v!==null&&Number.isFinite(v),make=(tag,text,cls)=>{const e=document.createElement(tag);if(text!==undefined)e.textContent=text;if(cls)e.className=cls;return e;};
const part=(box,tag,set)=>{const e=document.createElementNS(NS,tag);for(const k in set)e.setAttribute(k,set[k]);box.append(e);return e;};
const show=v=>!ok(v)?'none':Math.abs(v)>=1000?v.toFixed(0):Math.abs(v)>=100?v.toFixed(1):v.toFixed(2);
let now=0,all=[],chosen=[],serial=0;
function tick(span){const p=10**Math.floor(Math.log10(span/3));for(const m of[1,2,5,10])if(span/3<=m*p*1.0001)return m*p;return 10*p;}
function limits(lists,least){let a=1/0,b=-1/0;for(const l of lists)if(l)for(const v of l)if(ok(v)){a=Math.min(a,v);b=Math.max(b,v);}if(!(a<=b))return[0,1];
 const m=(a+b)/2,h=Math.max((b-a)/2*1.06,least/2,1e-9*Math.abs(m));return a>=0&&m-h<0?[0,2*h]:[m-h,m+h];}
function chart(title,c){const box=make('div',undefined,'chart'),b=make('b',title),val=make('small');if(c.italic)b.style.fontStyle='italic';if(c.remove)box.classList.add('x'),val.style.marginRight='20px';box.append(val,b);
 const W=230,H=130,L=40,R=8,U=8,B=20,svg=document.createElementNS(NS,'svg');svg.setAttribute('viewBox','0 0 '+W+' '+H);svg.setAttribute('role','img');svg.setAttribute('aria-label',title+' along the path');box.append(svg);
 const[lo,hi]=c.limits||limits([c.y,c.low,c.high],c.least||.2),X=t=>L+t*(W-L-R),Y=v=>U+(1-Math.min(1.02,Math.max(-.02,(v-lo)/(hi-lo))))*(H-U-B);
 for(const s of D.stationT)if(s>.001&&s<.999)part(svg,'line',{x1:X(s),x2:X(s),y1:U,y2:H-B,class:'grid'});
 const step=tick(hi-lo),digits=step>=1?0:Math.min(6,Math.ceil(-Math.log10(step)-1e-9));
 for(let v=Math.ceil(lo/step-1e-9)*step;v<=hi+1e-9*step;v+=step){part(svg,'line',{x1:L-4,x2:L,y1:Y(v),y2:Y(v),class:'axis'});part(svg,'text',{x:L-6,y:Y(v)+4,'text-anchor':'end'}).textContent=step>=1000?(v/1000).toFixed(step%1000?1:0)+'k':(Math.abs(v)<step*1e-9?0:v).toFixed(digits);}
 for(const t of[0,.5,1]){part(svg,'line',{x1:X(t),x2:X(t),y1:H-B,y2:H-B+4,class:'axis'});part(svg,'text',{x:X(t),y:H-5,'text-anchor':t===0?'start':t===1?'end':'middle'}).textContent=t;}
 part(svg,'path',{d:'M'+L+' '+U+'V'+(H-B)+'H'+(W-R),class:'axis'});
 const runs=has=>{const o=[];for(let i=0;i<T;++i)if(has(i)){if(!o.length||o[o.length-1][1]!==i)o.push([i,i]);o[o.length-1][1]=i+1;}return o;};
 if(c.low)for(const[p,q]of runs(i=>ok(c.low[i])&&ok(c.high[i]))){let d='';for(let i=p;i<q;++i)d+=(i===p?'M':'L')+X(D.t[i])+' '+Y(c.high[i]);for(let i=q;i-->p;)d+='L'+X(D.t[i])+' '+Y(c.low[i]);part(svg,'path',{d:d+'Z',fill:c.colour,'fill-opacity':.22});}
 if(c.outside){const id='h'+serial++,pat=part(part(svg,'defs',{}),'pattern',{id,width:6,height:6,patternUnits:'userSpaceOnUse',patternTransform:'rotate(45)'});part(pat,'path',{d:'M0 0V6',style:'stroke:var(--mark);stroke-width:2;stroke-opacity:.55'});
  for(const[p,q]of runs(i=>ok(c.y[i])&&c.y[i]>99)){const a=p?(D.t[p-1]+D.t[p])/2:0,z=q<T?(D.t[q-1]+D.t[q])/2:1;part(svg,'rect',{x:X(a),y:U,width:Math.max(2,X(z)-X(a)),height:H-U-B,fill:'url(#'+id+')'});}}
 for(const[p,q]of runs(i=>ok(c.y[i]))){let d='';for(let i=p;i<q;++i)d+=(i===p?'M':'L')+X(D.t[i]).toFixed(1)+' '+Y(c.y[i]).toFixed(1);part(svg,'path',{d:q-p>1?d:d+'h.1',fill:'none',style:'stroke:'+c.colour,'stroke-width':2,'stroke-linecap':'round'});}
 const line=part(svg,'line',{y1:U,y2:H-B,class:'now'}),dot=part(svg,'circle',{r:3,class:'dot'});
 svg.addEventListener('click',e=>{const r=svg.getBoundingClientRect(),want=((e.clientX-r.left)/r.width*W-L)/(W-L-R);go(nearest(want));});
 const item={box,move(){const x=X(D.t[now]),v=c.y[now];line.setAttribute('x1',x);line.setAttribute('x2',x);dot.style.display=ok(v)?'':'none';if(ok(v)){dot.setAttribute('cx',x);dot.setAttribute('cy',Y(v));}val.textContent=show(v);val.className=c.outside&&ok(v)&&v>99?'out':'';}};
 if(c.remove){const x=make('button','×');x.setAttribute('aria-label','Remove '+title);x.onclick=c.remove;box.append(x);}
 item.move();all.push(item);return box;}
function nearest(want){let b=0;for(let i=1;i<T;++i)if(Math.abs(D.t[i]-want)<Math.abs(D.t[b]-want))b=i;return b;}
const fold=g=>D.fold[g].map(v=>v===null?null:v/1000),colour=g=>D.labels[g]<0?'#8a8a8a':D.clusters[D.labels[g]].colour,group=g=>D.labels[g]<0?'flat':D.clusters[D.labels[g]].name;
const sheet=new Image(),frame=$('frame'),fc=frame.getContext('2d');
function drawFrame(){if(!D.sheet)return;const r=Math.min(3,window.devicePixelRatio||1),w=Math.round(288*r);if(frame.width!==w)frame.width=frame.height=w;fc.setTransform(1,0,0,1,0,0);fc.clearRect(0,0,w,w);
 if(sheet.complete)fc.drawImage(sheet,now%D.columns*D.side,Math.floor(now/D.columns)*D.side,D.side,D.side,0,0,w,w);
 if($('outline').checked&&D.outlines.length&&D.outlines[now]){const k=w/D.side;fc.setTransform(k,0,0,k,0,0);const p=new Path2D(D.outlines[now]);fc.lineWidth=2.2/k*r;fc.strokeStyle='rgba(255,255,255,.8)';fc.stroke(p);fc.lineWidth=1/k*r;fc.strokeStyle='#111';fc.stroke(p);}
 frame.setAttribute('aria-label','Decoded cell at t = '+D.t[now].toFixed(2));}
function go(i){now=Math.max(0,Math.min(T-1,i));$('t').value=now;const s='t = '+D.t[now].toFixed(2);$('tv').textContent=s;$('t').setAttribute('aria-valuetext',s);drawFrame();for(const a of all)a.move();$('heatmark').style.left='calc('+100*D.t[now]+'% - 1px)';}
function lines(){const box=$('lines');all=all.filter(a=>!box.contains(a.box));box.textContent='';const e=$('unit').value==='e';
 for(const g of chosen){const k=e?D.means[g]:1,f=a=>a&&a.map(v=>v===null?null:v/1000*k),band=D.bands[g];
  box.append(chart(D.genes[g],{y:f(D.fold[g]),low:band&&f(band[0]),high:band&&f(band[1]),colour:colour(g),italic:true,least:e?.1:.2,remove(){chosen=chosen.filter(o=>o!==g);lines();said();}}));}}
function said(text){$('said').textContent=text||(chosen.length?D.bandText:'No gene is chosen.');}
function choose(g){if(!chosen.includes(g)){chosen.unshift(g);lines();}said(D.genes[g]+' ('+group(g)+') is shown.');}
function search(){const q=$('find').value.trim();if(!q)return;let g=D.genes.indexOf(q);if(g<0)g=D.genes.findIndex(s=>s.toLowerCase()===q.toLowerCase());if(g<0){said(q+' was not measured.');return;}$('find').value='';choose(g);}
const heat=$('heat'),hc=heat.getContext('2d');let row=-1,raster;
const stops=[[33,102,172],[67,147,195],[146,197,222],[209,229,240],[247,247,247],[253,219,199],[244,165,130],[214,96,77],[178,24,43]];
function tint(z){if(!ok(z))return[190,190,190];const a=Math.max(0,Math.min(8,(z+2)*2)),i=Math.min(7,Math.floor(a));return stops[i].map((v,k)=>v+(a-i)*(stops[i+1][k]-v));}
function score(list){const v=list.filter(ok),m=v.reduce((a,b)=>a+b,0)/(v.length||1),s=Math.sqrt(v.reduce((a,b)=>a+(b-m)**2,0)/(v.length||1));return list.map(x=>!ok(x)?null:s>1e-9?Math.max(-2,Math.min(2,(x-m)/s)):0);}
function prepare(){const W=300,n=D.order.length;raster=document.createElement('canvas');raster.width=W;raster.height=Math.max(1,n);const c=raster.getContext('2d'),im=c.createImageData(W,Math.max(1,n)),at=[];for(let x=0;x<W;++x)at.push(nearest(x/(W-1)));
 D.order.forEach((g,r)=>{const z=score(D.fold[g]).map(tint);for(let x=0;x<W;++x){const p=z[at[x]],o=4*(r*W+x);im.data[o]=p[0];im.data[o+1]=p[1];im.data[o+2]=p[2];im.data[o+3]=255;}});c.putImageData(im,0,0);}
function drawHeat(){const r=window.devicePixelRatio||1,w=Math.round(heat.clientWidth*r),h=Math.round(heat.clientHeight*r);if(!w)return;heat.width=w;heat.height=h;const n=D.order.length;if(!n)return;hc.imageSmoothingEnabled=n>h;hc.imageSmoothingQuality='high';hc.drawImage(raster,0,0,w,h);
 for(let i=0;i<n;){let e=i;while(e<n&&D.labels[D.order[e]]===D.labels[D.order[i]])++e;const y=h*i/n;hc.fillStyle=colour(D.order[i]);hc.fillRect(0,y,7*r,h*(e-i)/n);if(i){hc.fillStyle='#fff';hc.fillRect(0,y-r/2,w,1.5*r);}
  const name=group(D.order[i]);hc.font='600 '+12*r+'px system-ui,sans-serif';if(h*(e-i)/n>16*r){const b=hc.measureText(name).width;hc.fillStyle='rgba(255,255,255,.82)';hc.fillRect(10*r,y+3*r,b+8*r,16*r);hc.fillStyle='#1c2430';hc.fillText(name,14*r,y+15*r);}i=e;}
 if(row>=0){hc.strokeStyle='#111';hc.lineWidth=1.4*r;hc.strokeRect(0,h*row/n,w,Math.max(3*r,h/n));}}
function read(r){row=r;drawHeat();if(r<0)return;const g=D.order[r];$('heatsaid').textContent=D.genes[g]+', '+group(g)+', fold change '+show(D.fold[g][now]===null?null:D.fold[g][now]/1000)+' at t = '+D.t[now].toFixed(2)+'.';}
heat.addEventListener('pointermove',e=>{const n=D.order.length;if(n)read(Math.max(0,Math.min(n-1,Math.floor(e.offsetY/heat.clientHeight*n))));});
heat.addEventListener('click',e=>{go(nearest(e.offsetX/heat.clientWidth));if(row>=0)choose(D.order[row]);});
heat.addEventListener('keydown',e=>{const n=D.order.length,s=e.shiftKey?10:1;if(e.key==='ArrowUp')read(Math.max(0,row-s));else if(e.key==='ArrowDown')read(Math.min(n-1,row+s));else if(e.key==='ArrowLeft'){go(now-s);read(row);}else if(e.key==='ArrowRight'){go(now+s);read(row);}else if(e.key==='Enter'&&row>=0)choose(D.order[row]);else return;e.preventDefault();});
let sortBy=D.hasDrivers?2:2,rising=false,limit=60;
function columns(){const m=+$('score').value||0,base=[['gene',g=>D.genes[g]],['cluster',group],['change',g=>D.change[g],2],['range',g=>D.range[g],2]];
 if(D.hasDrivers){const d=(g,k)=>D.drivers[g]?D.drivers[g][k]:null,at=(g,k)=>{const l=d(g,k);return l?l[m]??null:null;};base.push(['half of change at t',g=>d(g,0),2],['along t, ρ',g=>at(g,1),2],['across paths, r',g=>at(g,2),2],['p',g=>at(g,3),4],['q',g=>at(g,4),4]);}return base;}
function table(){const cols=columns(),q=$('filter').value.trim().toLowerCase(),box=$('table');let rows=[];for(let g=0;g<G;++g)if(!q||D.genes[g].toLowerCase().includes(q)||group(g).toLowerCase()===q)rows.push(g);
 const key=cols[sortBy][1],sign=rising?1:-1,strong=sortBy===2||sortBy===5||sortBy===6,val=g=>{const v=key(g);return strong&&ok(v)?Math.abs(v):v;};
 rows.sort((a,b)=>{const x=val(a),y=val(b),nx=x===null,ny=y===null;if(nx||ny)return nx===ny?a-b:nx?1:-1;return(x<y?-sign:x>y?sign:a-b);});
 box.textContent='';const head=make('tr');cols.forEach((c,i)=>{const th=make('th'),b=make('button',c[0]+(i===sortBy?(rising?' ▲':' ▼'):''));th.setAttribute('aria-sort',i===sortBy?(rising?'ascending':'descending'):'none');b.onclick=()=>{if(sortBy===i)rising=!rising;else{sortBy=i;rising=i<2||i>=7;}table();$('table').querySelectorAll('th button')[i].focus();};th.append(b);head.append(th);});box.append(head);
 for(const g of rows.slice(0,limit)){const tr=make('tr');cols.forEach((c,i)=>{const v=c[1](g),td=make('td',i>1?(ok(v)?v.toFixed(c[2]):'–'):undefined);if(i===0){const b=make('button',v);b.onclick=()=>{choose(g);$('genes').scrollIntoView();};td.append(b);}if(i===1){const s=make('span',undefined,'swatch');s.style.background=colour(g);td.append(s,v);}tr.append(td);});box.append(tr);}
 $('count').textContent=rows.length+' of '+G+' genes';$('more').hidden=rows.length<=limit;}
$('t').max=T-1;$('t').oninput=()=>go(+$('t').value);let timer=0;
$('play').onclick=()=>{if(timer){clearInterval(timer);timer=0;}else{if(now===T-1)go(0);timer=setInterval(()=>{if(now>=T-1)$('play').click();else go(now+1);},90);}$('play').textContent=timer?'Stop':'Play';$('play').setAttribute('aria-pressed',String(!!timer));};
const last=D.stations.length-1;D.stations.forEach((s,i)=>{const e=make('span',s);e.style.left=100*D.stationT[i]+'%';if(D.stationT[i]<.02)e.style.transform='none';if(D.stationT[i]>.98){e.style.left='auto';e.style.right='0';e.style.transform='none';}$('stations').append(e);});
function thin(){let end=-1/0;const list=[...$('stations').children];for(const e of list)e.style.visibility='';const stop=list.length?list[last].getBoundingClientRect().left:0;list.forEach((e,i)=>{const r=e.getBoundingClientRect();if(i<last&&(r.left<end||(i>0&&r.right>stop-6)))e.style.visibility='hidden';else end=r.right+6;});}
if(D.sheet){sheet.onload=drawFrame;sheet.src='data:image/jpeg;base64,'+D.sheet;}else frame.hidden=true;if(!D.outlines.length)$('outlinebox').hidden=true;$('outline').onchange=drawFrame;
for(const[name,y,c]of[['images',D.supportImage,'var(--near)'],['RNA',D.supportRna,'var(--rna)']])if(y.length)$('support').append(chart('Distance to '+name,{y,colour:c,limits:[0,100],outside:true}));
if(!D.supportImage.length&&!D.supportRna.length)$('supportnote').textContent='The distance to the cells was not measured.';
if(D.morphology.length)D.scoreTitles.forEach((n,m)=>$('scores').append(chart(n,{y:D.morphology.map(r=>r[m]),colour:'var(--score)',least:.05})));else $('looks').hidden=true;
D.clusters.forEach(c=>$('groups').append(chart(c.name+', '+c.n+(c.n===1?' gene':' genes'),{y:c.mean,low:c.mean.map((v,i)=>ok(v)?v-c.deviation[i]:null),high:c.mean.map((v,i)=>ok(v)?v+c.deviation[i]:null),colour:c.colour})));
if(!D.clusters.length)$('groups').append(make('p','No gene changes along this path.'));
for(const s of[...D.genes].sort()){const o=document.createElement('option');o.value=s;$('symbols').append(o);}
$('add').onclick=search;$('find').onkeydown=e=>{if(e.key==='Enter')search();};$('find').onchange=()=>{if(D.genes.includes($('find').value))search();};$('none').onclick=()=>{chosen=[];lines();said();};$('unit').onchange=lines;if(!D.means.length)$('unit').parentElement.hidden=true;
D.scoreTitles.forEach((n,i)=>{const o=document.createElement('option');o.textContent=n;o.value=i;$('score').append(o);});if(!D.hasDrivers)$('scorebox').hidden=true;$('score').onchange=table;$('filter').oninput=()=>{limit=60;table();};$('more').onclick=()=>{limit+=200;table();};
$('drivernote').textContent=D.hasDrivers?'Along t is descriptive: on one path any two monotone curves agree. Across paths is a correlation between sampled paths, with p by permutation and q after Benjamini and Hochberg over genes.':'';
$('heatnote').textContent=D.order.length+' genes by cluster and time of maximum'+(G>D.order.length?'; '+(G-D.order.length)+' flat genes are left out':'')+'.';
const kc=$('key').getContext('2d');for(let i=0;i<120;++i){kc.fillStyle='rgb('+tint(-2+4*i/119).map(Math.round).join()+')';kc.fillRect(i,0,1,11);}
$('svg').src='data:image/svg+xml;base64,'+D.figure;$('save').href=URL.createObjectURL(new Blob([Uint8Array.from(atob(D.figure),c=>c.charCodeAt(0))],{type:'image/svg+xml'}));if(D.notes.length){const n=$('notes');n.append(make('h2','Notes'));const u=make('ul');for(const s of D.notes)u.append(make('li',s));n.append(u);}
chosen=[...D.chosen];prepare();lines();said();table();go(0);drawHeat();thin();new ResizeObserver(()=>{drawHeat();thin();}).observe($('heatbox'));
)";

}  // namespace cytograd::trajectory
